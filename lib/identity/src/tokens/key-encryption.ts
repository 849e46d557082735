/** Encrypts what must not be readable in the store: AES-256-GCM by a key from a file. */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  randomUUID,
} from 'node:crypto';
import { chmod, link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DomainError } from '@rhizome/errors';

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
export async function loadKeyEncryption(file: string): Promise<KeyEncryption> {
  const found = await stat(file).catch(() => undefined);
  if (!found) await writeNewKey(file);
  else if ((found.mode & 0o077) !== 0) {
    const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
    throw wrongFile(file, `its mode is ${mode}; others must not read it, so make it 0600`);
  }
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line.trim() !== '');
  const keys = lines.map((line) => kekOf(Buffer.from(line.trim(), 'base64')));
  const [first] = keys;
  if (!first || keys.some(({ key }) => key.length !== 32))
    throw wrongFile(file, 'it must hold 32 bytes in base64 on each line');
  return new FileKeys(file, first, keys);
}

class FileKeys implements KeyEncryption {
  readonly #file: string;
  readonly #current: Kek;
  readonly #keys: ReadonlyMap<string, Buffer>;
  readonly #pepper: Buffer;

  constructor(file: string, current: Kek, keys: readonly Kek[]) {
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
    if (!key) throw wrongFile(this.#file, `the store was written with another key (${keyId})`);
    const bytes = Buffer.from(ciphertext, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64'));
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

/** Written aside and linked into place, so that two processes that start at once end up with one key. */
async function writeNewKey(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const aside = `${file}.${randomUUID()}.new`;
  const handle = await open(aside, 'wx', 0o600);
  try {
    await handle.writeFile(`${randomBytes(32).toString('base64')}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await chmod(aside, 0o600);
  await link(aside, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await unlink(aside);
}

function wrongFile(file: string, why: string): DomainError {
  return new DomainError('CONFIG_INVALID', `Key file ${file} cannot be used: ${why}`, {
    field: 'identity.keyFile',
    value: file,
    expected: '32 bytes in base64, with mode 0600',
  });
}
