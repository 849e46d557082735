/** Checks the arguments of a payload. */
import type { InputErrors, InputPath } from '@rhizome/errors';

/** Most arguments, and most bytes of all of them with the NUL that ends each. */
export interface ArgumentLimits {
  readonly most: number;
  readonly bytes: number;
}

/** Adds the errors of arguments of a payload. */
export function checkArguments(
  errors: Pick<InputErrors<never>, 'add' | 'lines' | 'list'>,
  path: InputPath,
  given: readonly string[],
  limits: ArgumentLimits,
): void {
  errors.list(path, given, limits.most);
  given.forEach((value, position) => errors.lines([...path, position], value, 0, Infinity));
  const bytes = given.reduce((sum, value) => sum + Buffer.byteLength(value) + 1, 0);
  if (bytes > limits.bytes) errors.add(path, `${bytes} bytes`, `at most ${limits.bytes} bytes together`);
}
