/** Rights at a WebDAV server: those of the storage, and those for one file that it grants. */
import type { Clock } from '@rhizome/clock';
import { type Connections, withoutCredentials } from '../http/http-client.js';
import { Tokens } from '../http/tokens.js';
import { isStorageError, StorageError } from '../storage-error.js';
import { attenuate } from './attenuation.js';
import { activities, requestMacaroon } from './macaroons.js';
import type { CallOptions, StorageCredential } from '../storage.types.js';

/** Time after which a server is asked again that has issued no macaroon, in milliseconds. */
const askAgainMs = 300_000;

/** A right that is wanted for one file. */
interface WantedRight extends CallOptions {
  readonly url: string;
  readonly method: 'GET' | 'PUT';
  readonly expiresAt: Date;
  /** Time until then, from now. */
  readonly seconds: number;
}

/** A macaroon or token for one file. */
interface FileRight {
  readonly token: string;
  /** Its own end; undefined if it is the one that was wanted. */
  readonly until: Date | undefined;
}

/** Rights of a storage at its server, and the smaller ones that it gives for single files. */
export class WebDavRights {
  readonly #base: string;
  readonly #http: Connections;
  readonly #clock: Clock;
  readonly #tokens: Tokens;
  /** Time at which the server is asked for macaroons again, by the monotonic clock. */
  #askAgainAtMs = 0;

  constructor(
    base: string,
    credential: StorageCredential | undefined,
    { http, clock }: { readonly http: Connections; readonly clock: Clock },
  ) {
    this.#base = base;
    this.#http = http;
    this.#clock = clock;
    this.#tokens = new Tokens(credential, { send: async (request) => http.send(request), clock });
  }

  /** Headers by which the storage itself is admitted. */
  async headers(signal: AbortSignal | undefined): Promise<Record<string, string>> {
    const token = await this.#tokens.own(signal);
    // XRootD distinguishes cases here.
    return token === undefined ? {} : { Authorization: `Bearer ${token}` };
  }

  /**
   * A macaroon for one file, the own one with further limits or one of the server, or a token.
   * @throws StorageError INVALID if the server can grant none of them
   */
  async ofFile(wanted: WantedRight): Promise<FileRight> {
    return (await this.#attenuated(wanted)) ?? (await this.#macaroon(wanted)) ?? (await this.#token(wanted));
  }

  /** The own macaroon with the limits of one file, if there is one. */
  async #attenuated({ url, method, expiresAt, signal }: WantedRight): Promise<FileRight | undefined> {
    const caveats = [
      `activity:${activities[method]}`,
      `path:${decodeURIComponent(new URL(url).pathname)}`,
      `before:${expiresAt.toISOString().replace(/\.\d+Z$/, 'Z')}`,
    ];
    const own = await this.#tokens.own(signal);
    const token = own === undefined ? undefined : attenuate(own, caveats);
    return token === undefined ? undefined : { token, until: undefined };
  }

  async #macaroon({ url, method, seconds, signal }: WantedRight): Promise<FileRight | undefined> {
    const { canLimit } = this.#tokens;
    if (canLimit && this.#clock.monotonicMs() < this.#askAgainAtMs) return undefined;
    const request = { url, method, seconds, headers: await this.headers(signal), signal };
    try {
      const token = await requestMacaroon(request, async (sent) => this.#http.send(sent));
      if (token !== undefined) return { token, until: undefined };
    } catch (error) {
      // A server that knows nothing of macaroons may refuse the request, or answer with a page.
      if (!canLimit || !isStorageError(error, 'DENIED', 'INVALID')) throw error;
    }
    this.#askAgainAtMs = this.#clock.monotonicMs() + askAgainMs;
    return undefined;
  }

  async #token({ url, method, signal }: WantedRight): Promise<FileRight> {
    if (!this.#tokens.canLimit)
      throw new StorageError(
        'INVALID',
        `${withoutCredentials(this.#base)} issues no macaroons, and its credential is no token service: it cannot grant access to one file`,
      );
    const right = method === 'GET' ? 'storage.read' : 'storage.create';
    const { token, expiresAt } = await this.#tokens.limited(right, new URL(url).pathname, signal);
    return { token, until: expiresAt };
  }
}
