/** Encrypts what must not be readable in the store: AES-256-GCM by a key from a file. */
import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { type PrivateFile, readPrivateFile, unusableFile } from '@rhizome/authz';

/** An encrypted value as it is stored. */
export interface Sealed {
  /** Names the key-encryption key. */
  readonly keyId: string;
  readonly nonce: string;
  readonly ciphertext: string;
}

/** Seals values, and makes digests that cannot be computed without the key. */
export interface KeyEncryption {
  /** @param context binds the value to its document; the same text opens it */
  seal(plain: string, context: string): Sealed;
  /** @throws DomainError CONFIG_INVALID if the file does not hold the key */
  open(sealed: Sealed, context: string): string;
  /** Digest of a secret with 256 random bits. */
  digest(secret: string): string;
}

interface Kek {
  readonly id: string;
  readonly key: Buffer;
}

const tagBytes = 16;

/**
 * Reads the key-encryption keys: one a line, 32 bytes in base64. The first one seals; the others only open,
 * so that a key can be replaced. Makes the file, with mode 0600, if there is none.
 * @throws DomainError CONFIG_INVALID
 */
export async function loadKeyEncryption(path: string): Promise<KeyEncryption> {
  const file: PrivateFile = {
    path,
    field: 'identity.keyFile',
    expected: '32 bytes in base64',
    create: () => `${randomBytes(32).toString('base64')}\n`,
  };
  const lines = (await readPrivateFile(file)).split('\n').filter((line) => line.trim() !== '');
  const keys = lines.map((line) => kekOf(Buffer.from(line.trim(), 'base64')));
  const [first] = keys;
  if (!first || keys.some(({ key }) => key.length !== 32))
    throw unusableFile(file, 'it must hold 32 bytes in base64 on each line');
  return new FileKeys(file, first, keys);
}

class FileKeys implements KeyEncryption {
  readonly #file: PrivateFile;
  readonly #current: Kek;
  readonly #keys: ReadonlyMap<string, Buffer>;
  readonly #pepper: Buffer;

  constructor(file: PrivateFile, current: Kek, keys: readonly Kek[]) {
    this.#file = file;
    this.#current = current;
    this.#keys = new Map(keys.map(({ id, key }) => [id, key]));
    // The oldest key: digests in the store outlive a replaced key as long as its line stays.
    const { key } = keys.at(-1) ?? current;
    this.#pepper = Buffer.from(hkdfSync('sha256', key, '', 'rhizome digests', 32));
  }

  seal(plain: string, context: string): Sealed {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#current.key, nonce);
    cipher.setAAD(Buffer.from(context));
    const ciphertext = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return {
      keyId: this.#current.id,
      nonce: nonce.toString('base64'),
      ciphertext: ciphertext.toString('base64'),
    };
  }

  open({ keyId, nonce, ciphertext }: Sealed, context: string): string {
    const key = this.#keys.get(keyId);
    if (!key) throw unusableFile(this.#file, `the store was written with another key (${keyId})`);
    const bytes = Buffer.from(ciphertext, 'base64');
    if (bytes.length < tagBytes) throw new TypeError('a sealed text is too short');
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64'), {
      authTagLength: tagBytes,
    });
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
    const plain = [decipher.update(bytes.subarray(0, bytes.length - tagBytes)), decipher.final()];
    return Buffer.concat(plain).toString('utf8');
  }

  digest(secret: string): string {
    return createHmac('sha256', this.#pepper).update(secret).digest('base64url');
  }
}

function kekOf(key: Buffer): Kek {
  const id = createHash('sha256').update('rhizome key id').update(key).digest('hex').slice(0, 16);
  return { id, key };
}
