/** Master keys from a file. */
import { createHash, randomBytes } from 'node:crypto';
import { type PrivateFile, readPrivateFile, unusableFile } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { decrypt, encrypt } from './aes-gcm.js';
import type { MasterKeys, WrappedKey } from './master-keys.types.js';

/** Setting that names the file. */
const field = 'secrets.masterKeyFile';

/**
 * Reads the master keys: one a line, 32 bytes in base64. The first one wraps; the others only unwrap, so
 * that a key can be replaced. Makes the file, with mode 0600, if there is none. The file is read again while
 * the process runs.
 * @throws DomainError CONFIG_INVALID
 */
export async function loadFileMasterKeys(path: string): Promise<MasterKeys> {
  const newKey = (): string => `${randomBytes(32).toString('base64')}\n`;
  return new FileMasterKeys(path, await readKeys(path, newKey));
}

type Keys = ReadonlyMap<string, Buffer>;

class FileMasterKeys implements MasterKeys {
  readonly #path: string;
  #keys: Keys;

  constructor(path: string, keys: Keys) {
    this.#path = path;
    this.#keys = keys;
  }

  async currentId(): Promise<string> {
    await this.#refresh();
    return firstOf(this.#keys)[0];
  }

  async wrap(key: Buffer, context: string): Promise<WrappedKey> {
    // The first key may be new: what the old one still wraps is lost once the file has it no more.
    await this.#refresh();
    const [keyId, masterKey] = firstOf(this.#keys);
    const { nonce, ciphertext } = encrypt(key, masterKey, context);
    return { keyId, wrappedKey: `${nonce}.${ciphertext}` };
  }

  async unwrap({ keyId, wrappedKey }: WrappedKey, context: string): Promise<Buffer> {
    // Another process may already use a key that was added to the file meanwhile.
    if (!this.#keys.has(keyId)) await this.#refresh();
    const key = this.#keys.get(keyId);
    if (!key) throw missing(`master key ${keyId} is not in the file of \`${field}\``);
    const [nonce = '', ciphertext = ''] = wrappedKey.split('.');
    return decrypt({ nonce, ciphertext }, key, context);
  }

  async #refresh(): Promise<void> {
    try {
      this.#keys = await readKeys(this.#path, () => {
        // A new file with another key would make all secrets unreadable.
        throw missing(`the file of \`${field}\` was removed`);
      });
    } catch (cause) {
      // Callers see the message, but not the cause, which names the file.
      if (cause instanceof DomainError && cause.code === 'SERVICE_UNAVAILABLE') throw cause;
      throw missing(`the file of \`${field}\` cannot be used`, cause);
    }
  }
}

async function readKeys(path: string, create: () => string): Promise<Keys> {
  const file: PrivateFile = { path, field, expected: '32 bytes in base64', create };
  const lines = (await readPrivateFile(file)).split('\n').filter((line) => line.trim() !== '');
  const keys = lines.map((line) => Buffer.from(line.trim(), 'base64'));
  if (keys.length === 0 || keys.some(({ length }) => length !== 32))
    throw unusableFile(file, 'it must hold 32 bytes in base64 on each line');
  return new Map(keys.map((key) => [idOf(key), key]));
}

function firstOf(keys: Keys): readonly [string, Buffer] {
  const [first] = keys;
  if (!first) throw missing(`the file of \`${field}\` has no key`);
  return first;
}

function idOf(key: Buffer): string {
  const digest = createHash('sha256').update('rhizome master key id').update(key).digest('hex');
  return `file:${digest.slice(0, 16)}`;
}

const missing = (why: string, cause?: unknown): DomainError =>
  new DomainError('SERVICE_UNAVAILABLE', `Secrets cannot be read: ${why}`, {}, { cause });
