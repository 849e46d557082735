/** Master keys in the transit engine of HashiCorp Vault or OpenBao. */
import { readFile } from 'node:fs/promises';
import { assertSecureTransport } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { MasterKeys, WrappedKey } from './master-keys.types.js';

/** Settings of {@link transitMasterKeys}. */
export interface TransitOptions {
  /** Address of the server, such as `https://vault.example:8200`. */
  readonly url: string;
  /** Path at which the engine is mounted; default `transit`. */
  readonly mount?: string | undefined;
  /** Name of an `aes256-gcm96` key. */
  readonly key: string;
  /** File with the token, read before each request so that an agent can renew it. */
  readonly tokenFile: string;
  readonly insecureTransport?: boolean | undefined;
}

interface Answer {
  readonly ciphertext?: string;
  readonly plaintext?: string;
  readonly latest_version?: number;
}

const timeoutMs = 10_000;
const ciphertextForm = /^vault:v(\d+):/;

/** @throws DomainError CONFIG_INVALID for plain HTTP to another machine, unless it is permitted */
export function transitMasterKeys(options: TransitOptions): MasterKeys {
  const { insecureTransport } = options;
  assertSecureTransport(options.url, { field: 'secrets.transit.url', insecureTransport });
  return new TransitMasterKeys(options);
}

class TransitMasterKeys implements MasterKeys {
  readonly #options: TransitOptions;

  constructor(options: TransitOptions) {
    this.#options = options;
  }

  async currentId(): Promise<string> {
    const { latest_version: version } = await this.#call('GET', 'keys');
    if (!Number.isInteger(version)) throw unavailable('the key has no version');
    return this.#idOf(Number(version));
  }

  async wrap(key: Buffer, context: string): Promise<WrappedKey> {
    const body = { plaintext: key.toString('base64'), associated_data: base64(context) };
    const { ciphertext = '' } = await this.#call('POST', 'encrypt', body);
    const version = ciphertextForm.exec(ciphertext)?.[1];
    if (version === undefined) throw unavailable('the answer has no ciphertext');
    return { keyId: this.#idOf(Number(version)), wrappedKey: ciphertext };
  }

  async unwrap({ wrappedKey }: WrappedKey, context: string): Promise<Buffer> {
    const body = { ciphertext: wrappedKey, associated_data: base64(context) };
    const { plaintext = '' } = await this.#call('POST', 'decrypt', body);
    const key = Buffer.from(plaintext, 'base64');
    if (key.length !== 32) throw unavailable('the answer has no key');
    return key;
  }

  #idOf(version: number): string {
    return `transit:${this.#options.key}:v${version}`;
  }

  async #call(method: 'GET' | 'POST', operation: string, body?: object): Promise<Answer> {
    const { url, mount = 'transit', key, tokenFile } = this.#options;
    const address = new URL(`/v1/${mount}/${operation}/${encodeURIComponent(key)}`, url);
    const token = (await readFile(tokenFile, 'utf8')).trim();
    const response = await fetch(address, {
      method,
      headers: { 'x-vault-token': token, 'x-vault-request': 'true', 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    }).catch((error: unknown) => {
      throw unavailable(`${address.host} cannot be reached`, error);
    });
    // Without the text of the answer: it may repeat what was sent.
    if (!response.ok) throw unavailable(`${address.host} answered ${operation} with ${response.status}`);
    return ((await response.json()) as { readonly data?: Answer }).data ?? {};
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const unavailable = (why: string, cause?: unknown): DomainError =>
  new DomainError('SERVICE_UNAVAILABLE', `Master keys cannot be used: ${why}`, {}, { cause });
