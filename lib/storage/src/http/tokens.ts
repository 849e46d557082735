/** Bearer tokens of storages. */
import { readFile } from 'node:fs/promises';
import type { Clock } from '@rhizome/clock';
import { StorageError } from '../storage-error.js';
import { assertOk, type FileRequest, type FileResponse, readText } from './http-client.js';
import type { StorageCredential, TokenServiceCredential } from '../storage.types.js';

/** Largest answer of a token service, in bytes. */
const longestAnswerBytes = 256 * 1024;
/** Part of the lifetime after which an own token is replaced. */
const renewAfter = 0.8;

/** A token that a token service issued. */
export interface IssuedToken {
  readonly token: string;
  readonly expiresAt: Date;
}

export interface TokenDependencies {
  readonly send: (request: FileRequest) => Promise<FileResponse>;
  readonly clock: Clock;
}

/** Tokens by a credential. */
export class Tokens {
  readonly #credential: StorageCredential | undefined;
  readonly #dependencies: TokenDependencies;
  #own: (IssuedToken & { readonly renewAt: number }) | undefined;
  /** The own token that is being issued, for all who wait for one. */
  #renewing: Promise<string> | undefined;

  /** @throws StorageError INVALID for a credential without tokens */
  constructor(credential: StorageCredential | undefined, dependencies: TokenDependencies) {
    const isOther = credential !== undefined && !['TOKEN_FILE', 'TOKEN_SERVICE'].includes(credential.kind);
    if (isOther)
      throw new StorageError(
        'INVALID',
        'The storage needs a credential with a token file or a token service',
      );
    this.#credential = credential;
    this.#dependencies = dependencies;
  }

  /** True if it issues tokens that are limited to one file. */
  get canLimit(): boolean {
    return this.#credential?.kind === 'TOKEN_SERVICE';
  }

  /** Token for all that this process does; undefined without a credential. */
  async own(signal?: AbortSignal): Promise<string | undefined> {
    const credential = this.#credential;
    if (credential?.kind === 'TOKEN_FILE') return readToken(credential.file);
    if (credential?.kind !== 'TOKEN_SERVICE') return undefined;
    const now = this.#dependencies.clock.now().getTime();
    if (this.#own !== undefined && this.#own.renewAt > now) return this.#own.token;
    signal?.throwIfAborted();
    this.#renewing ??= this.#renew(credential, now).finally(() => (this.#renewing = undefined));
    return unlessAborted(this.#renewing, signal);
  }

  /**
   * Token with one right on one path, such as `storage.read` on `/data/file`.
   * @param path as in a URL: encoded, so that no name adds another right
   */
  async limited(
    right: 'storage.read' | 'storage.create',
    path: string,
    signal?: AbortSignal,
  ): Promise<IssuedToken> {
    // A blank separates rights (RFC 6749, section 3.3).
    if (!/^[\x21\x23-\x5B\x5D-\x7E]+$/.test(path))
      throw new StorageError('INVALID', `${JSON.stringify(path)} is not encoded as in a URL`);
    if (this.#credential?.kind !== 'TOKEN_SERVICE')
      throw new StorageError('INVALID', 'The credential cannot issue tokens that are limited to one file');
    return this.#issue(this.#credential, `${right}:${path}`, signal);
  }

  async #renew(credential: TokenServiceCredential, now: number): Promise<string> {
    const issued = await this.#issue(credential, 'storage.read:/ storage.modify:/', undefined);
    this.#own = { ...issued, renewAt: now + (issued.expiresAt.getTime() - now) * renewAfter };
    return issued.token;
  }

  async #issue(
    { tokenUrl, clientId, clientSecret, audience }: TokenServiceCredential,
    scope: string,
    signal: AbortSignal | undefined,
  ): Promise<IssuedToken> {
    const form = new URLSearchParams({ grant_type: 'client_credentials', scope });
    if (audience !== undefined) form.set('audience', audience);
    const basic = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`);
    const request = {
      method: 'POST',
      url: tokenUrl,
      headers: {
        Authorization: `Basic ${basic.toString('base64')}`,
        'Content-Type': 'application/x-www-form-urlencoded',
        Accept: 'application/json',
      },
      body: form.toString(),
      signal,
    };
    const response = await this.#dependencies.send(request);
    await assertOk(response, request);
    const text = await readText(response, longestAnswerBytes, 'The answer of the token service');
    const { access_token: token, expires_in: seconds = 600, scope: granted = scope } = parse(text);
    // A service that widens the scope would hand out more than was granted.
    if (token === undefined || granted.split(' ').some((one) => !scope.split(' ').includes(one)))
      throw new StorageError('DENIED', `The token service did not issue a token for ${scope}`);
    return { token, expiresAt: new Date(this.#dependencies.clock.now().getTime() + seconds * 1000) };
  }
}

/** Waits for what others wait for, too: the signal ends this wait only. */
async function unlessAborted<T>(shared: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return shared;
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([shared, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

interface TokenAnswer {
  readonly access_token?: string;
  readonly expires_in?: number;
  readonly scope?: string;
}

function parse(text: string): TokenAnswer {
  try {
    return JSON.parse(text) as TokenAnswer;
  } catch (cause) {
    throw new StorageError('INVALID', 'The answer of the token service is not JSON', { cause });
  }
}

/** @throws StorageError INVALID if there is no such file */
async function readToken(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new StorageError('INVALID', `The token file cannot be read`, { cause });
  });
  return text.trim();
}
