/** Asks a gateway which rights principals have now: many in one call, none twice within a second. */
import {
  type CallSigner,
  createPrincipal,
  type CurrentRights,
  maxRightsHolders,
  never,
  readRightsAnswer,
  rightsAudience,
  type RightsHolder,
  type RightsNow,
  rightsPath,
  writeRightsQuestion,
} from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import { LRUCache } from 'lru-cache';

/** Options of {@link RemoteRights}. */
export interface RemoteRightsOptions {
  /** Address of a gateway, or of the proxy in front of several. */
  readonly url: string;
  /** Signs the tokens by which the gateway knows this core. */
  readonly signer: CallSigner;
  readonly clock: Clock;
  /** Time for which an answer counts, in milliseconds; default 1,000. */
  readonly keepMs?: number;
  /** Time limit of a call, in milliseconds; default 5,000. */
  readonly timeoutMs?: number;
}

/** A principal that waits for the answer of the next call. */
interface Waiting {
  readonly holder: RightsHolder;
  readonly resolve: (rights: RightsNow) => void;
  readonly reject: (error: unknown) => void;
}

interface Known {
  readonly rights: Promise<RightsNow>;
  readonly askedAt: number;
}

const remembered = 10_000;
const ofToken: RightsNow = { isRevoked: false, grants: undefined };

/** Rights that a gateway knows. */
export class RemoteRights implements CurrentRights {
  readonly #options: RemoteRightsOptions;
  readonly #keepMs: number;
  readonly #known = new LRUCache<string, Known>({ max: remembered });
  #waiting: Waiting[] = [];

  constructor(options: RemoteRightsOptions) {
    this.#options = options;
    this.#keepMs = options.keepMs ?? 1000;
  }

  of(holder: RightsHolder, checkedAt?: Date): Promise<RightsNow> {
    const { clock } = this.#options;
    if (checkedAt && clock.now().getTime() - checkedAt.getTime() < this.#keepMs)
      return Promise.resolve(ofToken);
    const key = keyOf(holder);
    const now = clock.monotonicMs();
    const known = this.#known.get(key);
    if (known && now - known.askedAt < this.#keepMs) return known.rights;
    const rights = this.#ask(holder);
    this.#known.set(key, { rights, askedAt: now });
    // An answer that did not come is asked for again.
    rights.catch(() => this.#known.delete(key));
    return rights;
  }

  #ask(holder: RightsHolder): Promise<RightsNow> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ holder, resolve, reject });
      // Those that ask in the same turn of the event loop share a call.
      if (this.#waiting.length === 1) setImmediate(() => this.#send());
    });
  }

  #send(): void {
    const all = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < all.length; at += maxRightsHolders)
      void this.#call(all.slice(at, at + maxRightsHolders));
  }

  async #call(waiting: readonly Waiting[]): Promise<void> {
    try {
      const found = await this.#fetch(waiting.map(({ holder }) => holder));
      if (found.length !== waiting.length) throw new TypeError('The answer has another length');
      waiting.forEach(({ resolve }, at) => resolve(found[at] ?? ofToken));
    } catch (cause) {
      const text = `The rights of the caller cannot be learned from ${this.#options.url}`;
      const error = new DomainError('SERVICE_UNAVAILABLE', text, {}, { cause });
      for (const { reject } of waiting) reject(error);
    }
  }

  async #fetch(holders: readonly RightsHolder[]): Promise<readonly RightsNow[]> {
    const { url, signer, timeoutMs = 5000 } = this.#options;
    const token = await signer.tokenFor(core, rightsAudience);
    const response = await fetch(new URL(rightsPath, url), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: writeRightsQuestion(holders),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const body: unknown = await response.json();
    if (response.status !== 200) throw new Error(`The gateway answered ${response.status}`);
    return readRightsAnswer(body);
  }
}

const core = createPrincipal({ kind: 'SERVICE', subject: 'core', grants: [], expiresAt: never });

function keyOf({ subject, actsFor, issuer, tokenId, issuedAt }: RightsHolder): string {
  return JSON.stringify([subject, actsFor, issuer, tokenId, issuedAt?.getTime()]);
}
