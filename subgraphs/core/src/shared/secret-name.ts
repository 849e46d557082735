import type { InputErrors } from '@rhizome/errors';

const form = /^[A-Za-z_][A-Za-z0-9_.-]{0,62}$/;
const formText = '1 to 63 letters, digits, `.`, `_`, `-`, of which the first is a letter or `_`';

/** Checks the name of a secret. */
export function checkSecretName<C extends string>(
  errors: InputErrors<C>,
  path: readonly (string | number)[],
  value: string,
): void {
  if (!form.test(value)) errors.add(path, value, formText);
}
