import { smallestKeyBytes } from './file-service/signature.js';
import { StorageError } from './storage-error.js';

/** Most keys that a file service accepts: each costs every request an HMAC. */
const mostKeys = 8;

/**
 * Keys of a file service: one a line, in base64; the first one signs. Empty lines, and those that begin with
 * `#`, are left out.
 * @throws StorageError INVALID
 */
export function parseSigningKeys(text: string): readonly Uint8Array[] {
  const lines = text.split('\n').map((line) => line.trim());
  const keys = lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => Buffer.from(line, 'base64'));
  const isValid =
    keys.length > 0 && keys.length <= mostKeys && keys.every((key) => key.length >= smallestKeyBytes);
  if (isValid) return keys;
  const expected = `must be 1 to ${mostKeys} lines with a key of at least ${smallestKeyBytes} bytes in base64`;
  throw new StorageError('INVALID', `The signing keys cannot be used; ${expected}`);
}
