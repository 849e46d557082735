import { CliError, exitCodes } from '../exit-codes.js';

/**
 * The text of these bytes, without any change: a byte order mark stays.
 * @param name what they are, for the error
 * @throws CliError if they are no UTF-8 text
 */
export function utf8Text(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CliError(exitCodes.usage, `${name} is no UTF-8 text; encode it in base64`);
  }
}
