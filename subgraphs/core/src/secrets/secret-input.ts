/** Checks of the input of secrets. Errors never contain a value of a secret. */
import type { InputErrors } from '@rhizome/errors';

const name = /^[A-Za-z_][A-Za-z0-9_.-]{0,62}$/;
const nameForm = '1 to 63 letters, digits, `.`, `_`, `-`, of which the first is a letter or `_`';

/** NUL, which no variable of a process can have, and halves of characters. */
const notText = /[\0\p{Cs}]/u;

/** Bounds of a value in bytes: a shorter value could not be found in output without hiding other text. */
export const valueBytes = { min: 8, max: 65_536 } as const;

/** Checks the name of a secret. */
export function checkName<C extends string>(
  errors: InputErrors<C>,
  path: readonly (string | number)[],
  value: string,
): void {
  if (!name.test(value)) errors.add(path, value, nameForm);
}

/** Checks the value of a secret and the end of its version. */
export function checkVersion<C extends string>(
  errors: InputErrors<C>,
  { value, expiresAt }: { readonly value: string; readonly expiresAt?: Date | null | undefined },
  now: Date,
): void {
  const bytes = Buffer.byteLength(value);
  if (bytes < valueBytes.min || bytes > valueBytes.max)
    errors.add(['value'], `${bytes} bytes`, `a value of ${valueBytes.min} to ${valueBytes.max} bytes`);
  else if (notText.test(value))
    errors.add(['value'], `${bytes} bytes`, 'a text without NUL; encode binary values in base64');
  if (expiresAt != null && expiresAt <= now) errors.add(['expiresAt'], expiresAt, 'a time in the future');
}
