/** Sealed values as text without quotes and blanks, which a browser keeps. */
import type { KeyEncryption } from './key-encryption.js';

/** Seals a value for a context. */
export function sealText(encryption: KeyEncryption, value: object, context: string): string {
  const { keyId, nonce, ciphertext } = encryption.seal(JSON.stringify(value), context);
  return [keyId, nonce, ciphertext].join('.');
}

/** The value of a text that was sealed for the context; undefined for any other text. */
export function openText(encryption: KeyEncryption, text: string, context: string): unknown {
  const [keyId = '', nonce = '', ciphertext = ''] = text.split('.');
  try {
    return JSON.parse(encryption.open({ keyId, nonce, ciphertext }, context));
  } catch {
    return undefined;
  }
}
