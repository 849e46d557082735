/** AES-256-GCM with a fresh nonce and a context that the ciphertext is bound to. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Encrypted bytes, in base64; the tag is at the end of the ciphertext. */
export interface Encrypted {
  readonly nonce: string;
  readonly ciphertext: string;
}

const algorithm = 'aes-256-gcm';
const tagBytes = 16;

/** Encrypts bytes. */
export function encrypt(plain: Buffer, key: Buffer, context: string): Encrypted {
  const nonce = randomBytes(12);
  const cipher = createCipheriv(algorithm, key, nonce);
  cipher.setAAD(Buffer.from(context));
  const bytes = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return { nonce: nonce.toString('base64'), ciphertext: bytes.toString('base64') };
}

/** Decrypts bytes. @throws Error if the key or the context is another one, or the bytes were changed */
export function decrypt({ nonce, ciphertext }: Encrypted, key: Buffer, context: string): Buffer {
  const bytes = Buffer.from(ciphertext, 'base64');
  const decipher = createDecipheriv(algorithm, key, Buffer.from(nonce, 'base64'), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
  return Buffer.concat([decipher.update(bytes.subarray(0, bytes.length - tagBytes)), decipher.final()]);
}
