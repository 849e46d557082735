/** Checks of the input of secrets. Errors never contain a value of a secret. */
import type { InputErrors } from '@rhizome/errors';

/** NUL, which no variable of a process can have, and halves of characters. */
const notText = /[\0\p{Cs}]/u;

/** Bounds of a value in bytes: a shorter value could not be found in output without hiding other text. */
export const valueBytes = { min: 8, max: 65_536 } as const;

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
