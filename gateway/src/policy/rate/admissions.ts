import type { DomainError } from '@rhizome/errors';
import { LRUCache } from 'lru-cache';
import { AttemptGate, type AttemptLimit, type Leave } from './attempt-gate.js';
import type { RateLimiter } from './rate-limiter.js';

/** Holder that a request names before anything of it is verified: it selects limits, and gives no rights. */
export interface NamedHolder {
  /** Key, account, login or session; undefined if the request names none. */
  readonly holder: string | undefined;
  /** Looks in the store for a holder or a code that the request names; its failures then count for it. */
  readonly find?: (() => Promise<string | undefined>) | undefined;
}

/** A holder that the store may have. */
export function namedHolder(holder: string | undefined, isKnown: () => Promise<boolean>): NamedHolder {
  if (holder === undefined) return { holder };
  return { holder, find: async () => ((await isKnown()) ? holder : undefined) };
}

/**
 * Waits until credentials may be verified that are not in memory: before the work of a signature, or a read
 * from the store. @throws DomainError LIMIT_EXCEEDED
 */
export type Admit = (named: NamedHolder) => Promise<void>;

/** A request that may be verified. */
export interface Admission {
  readonly holder: string | undefined;
  /** Key of its failure. */
  readonly key: string;
  readonly leave: Leave;
}

/** Limits of requests that are not verified yet. */
export interface AdmissionLimits {
  /** Requests with a key that may fail now, or the error for one; default: the operations of an address. */
  readonly left?: (key: string) => ReturnType<AttemptLimit>;
  /** The error of a known holder that has used up what it may; default: none. */
  readonly refusalOf?: (holder: string) => DomainError | undefined;
}

/** Holders that have succeeded and are remembered. */
const holdersKept = 100_000;
/** Look-ups of one address that run at once; the others wait for their turn. */
const lookUpsAtOnce = 4;

/**
 * Admits requests before anything of them is verified. When an address has used up its failures, only
 * requests that name a known holder are verified: one that has succeeded at this gateway, or that the store
 * has. Their failures count for this holder at this address. So the guesses of a stranger are bounded, and do
 * not cut off the pilots and people behind the same address, also not after a restart.
 */
export class Admissions {
  readonly rates: RateLimiter;
  readonly #gate = new AttemptGate();
  readonly #lookUps = new AttemptGate();
  /** Filled by successes only. */
  readonly #known = new LRUCache<string, true>({ max: holdersKept });

  constructor(rates: RateLimiter) {
    this.rates = rates;
  }

  /** Remembers holders that have succeeded. */
  remember(...holders: readonly (string | undefined)[]): void {
    for (const holder of holders) if (holder !== undefined) this.#known.set(holder, true);
  }

  /** Waits until a request may be verified. @throws DomainError LIMIT_EXCEEDED */
  async admit(address: string, named: NamedHolder, limits: AdmissionLimits = {}): Promise<Admission> {
    const { holder } = named;
    if (holder !== undefined && this.#known.has(holder))
      return this.#admitKnown(address, holder, { holder, ...limits });
    try {
      return await this.#enter(address, { holder, ...limits });
    } catch (error) {
      const found = await this.#find(address, named);
      if (found === undefined) throw error;
      return this.#admitKnown(address, found, { holder, ...limits });
    }
  }

  /** @param known what failures count for at this address */
  #admitKnown(
    address: string,
    known: string,
    limits: AdmissionLimits & Pick<Admission, 'holder'>,
  ): Promise<Admission> {
    const spent = limits.refusalOf?.(limits.holder ?? known);
    if (spent) return Promise.reject(spent);
    return this.#enter(failuresKey(address, known), limits);
  }

  async #enter(
    key: string,
    { holder, left }: AdmissionLimits & Pick<Admission, 'holder'>,
  ): Promise<Admission> {
    const limit = (): ReturnType<AttemptLimit> => (left ? left(key) : this.rates.leftOfAddress(key));
    return { holder, key, leave: await this.#gate.enter(key, limit) };
  }

  /** Failures do not use up look-ups: otherwise a stranger could keep others of the address from theirs. */
  async #find(address: string, { find }: NamedHolder): Promise<string | undefined> {
    if (!find) return undefined;
    const leave = await this.#lookUps.enter(address, () => lookUpsAtOnce);
    try {
      return await find();
    } finally {
      leave();
    }
  }
}

/** Key of the failures of a known holder at an address. */
export function failuresKey(address: string, holder: string): string {
  return `${address} ${holder}`;
}
