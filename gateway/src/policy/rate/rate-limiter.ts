import type { Principal, PrincipalKind } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { GuessLimit } from '@rhizome/identity';
import { LRUCache } from 'lru-cache';
import type { RatedCaller, RateName, RateSettings } from './rate-settings.js';
import { type Rate, TokenBucket } from './token-bucket.js';

/** Quantities that one request uses. */
export type Usage = Readonly<Partial<Record<RateName, number>>>;

type Buckets = Map<RateName, TokenBucket>;

/** Callers whose buckets are kept: a caller that was idle for long has full ones anyway. */
const callersKept = 50_000;

const callers: Readonly<Record<PrincipalKind, RatedCaller>> = {
  HUMAN: 'human',
  SERVICE: 'service',
  AGENT: 'agent',
  PILOT: 'pilot',
};

function callerOf({ kind, worker }: Principal): RatedCaller {
  return kind === 'PILOT' && worker === undefined ? 'queue' : callers[kind];
}

/** Headers that report the rate of operations, as in the IETF draft of rate-limit headers. */
export interface RateHeaders {
  readonly 'ratelimit-policy': string;
  readonly ratelimit: string;
}

/** Counts what principals and addresses use, in token buckets in memory. */
export class RateLimiter {
  readonly #settings: RateSettings;
  readonly #clock: Clock;
  readonly #callers = new LRUCache<string, Buckets>({ max: callersKept });

  constructor(settings: RateSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /** Charges a principal. Returns the error of the first quantity that is used up. */
  use(principal: Principal, usage: Usage): DomainError | undefined {
    return this.#use(keyOf(principal), callerOf(principal), usage);
  }

  /** Charges an address, for callers who are not authenticated. */
  useByAddress(address: string, usage: Usage): DomainError | undefined {
    return this.#use(`address ${address}`, 'address', usage);
  }

  /** Gives an address back what a caller used that was authenticated afterwards. */
  refundByAddress(address: string, usage: Usage): void {
    const buckets = this.#callers.get(`address ${address}`);
    for (const [name, amount] of Object.entries(usage) as [RateName, number][])
      buckets?.get(name)?.refund(amount);
  }

  /** Charges a holder of a key or an account for a token; holders of one address count for themselves. */
  useByHolder(holder: string, usage: Usage): DomainError | undefined {
    return this.#use(`holder ${holder}`, 'address', usage);
  }

  /** Operations that an address may still use, or the error if there are none. */
  leftOfAddress(address: string): number | DomainError {
    return this.#left(`address ${address}`);
  }

  /** The error of a holder that has used up its operations. Nothing is charged. */
  refusalOfHolder(holder: string): DomainError | undefined {
    const left = this.#left(`holder ${holder}`);
    return typeof left === 'number' ? undefined : left;
  }

  /** Failed guesses that are allowed in a period; undefined if they are not limited. */
  get guesses(): GuessLimit | undefined {
    const rate = this.#settings.address.guesses;
    return rate && { count: Math.ceil(rate.burst), periodMs: (rate.burst / rate.perSecond) * 1000 };
  }

  /** The error of an address with too many failed guesses. */
  tooManyGuesses(seconds: number): DomainError | undefined {
    const rate = this.#settings.address.guesses;
    return rate && exceeded('guesses', 1, rate, seconds);
  }

  /** The state of the operations of a caller; undefined if they are not limited. */
  headers(principal: Principal | undefined, address: string): RateHeaders | undefined {
    const caller = principal ? callerOf(principal) : 'address';
    const rate = this.#settings[caller].operations;
    if (!rate) return undefined;
    const buckets = this.#bucketsOf(principal ? keyOf(principal) : `address ${address}`);
    const now = this.#now();
    const left = this.#bucket(buckets, 'operations', rate, now).left(now);
    return {
      'ratelimit-policy': `"operations";q=${rate.burst};w=${Math.ceil(rate.burst / rate.perSecond)}`,
      ratelimit: `"operations";r=${left};t=${Math.ceil((rate.burst - left) / rate.perSecond)}`,
    };
  }

  #use(key: string, caller: RatedCaller, usage: Usage): DomainError | undefined {
    const rates = this.#settings[caller];
    const now = this.#now();
    const buckets = this.#bucketsOf(key);
    for (const [name, amount] of Object.entries(usage) as [RateName, number][]) {
      const rate = rates[name];
      if (!rate || amount <= 0) continue;
      const seconds = this.#bucket(buckets, name, rate, now).consume(amount, now);
      if (seconds > 0) return exceeded(name, amount, rate, seconds);
    }
    return undefined;
  }

  #left(key: string): number | DomainError {
    const rate = this.#settings.address.operations;
    if (!rate) return Infinity;
    const now = this.#now();
    const bucket = this.#bucket(this.#bucketsOf(key), 'operations', rate, now);
    const left = bucket.left(now);
    return left >= 1 ? left : exceeded('operations', 1, rate, bucket.secondsUntil(1, now));
  }

  #now(): number {
    return this.#clock.now().getTime();
  }

  #bucketsOf(key: string): Buckets {
    let buckets = this.#callers.get(key);
    if (!buckets) this.#callers.set(key, (buckets = new Map()));
    return buckets;
  }

  #bucket(buckets: Buckets, name: RateName, rate: Rate, now: number): TokenBucket {
    let bucket = buckets.get(name);
    if (!bucket) buckets.set(name, (bucket = new TokenBucket(rate, now)));
    return bucket;
  }
}

/** Key of a principal; an agent counts for itself, and pilots of one queue together. */
export function keyOf({ kind, issuer, subject }: Principal): string {
  return `${kind} ${issuer ?? ''} ${subject}`;
}

const described: Readonly<Record<RateName, string>> = {
  operations: 'operations',
  cost: 'cost of operations',
  mutations: 'mutations',
  submittedJobs: 'submitted jobs',
  bytes: 'bytes of bodies',
  streams: 'opened streams',
  sockets: 'opened sockets',
  guesses: 'failed logins',
  documents: 'new documents',
};

function exceeded(field: RateName, value: number, rate: Rate, seconds: number): DomainError {
  const retryAfterSeconds = Math.max(1, Math.ceil(seconds));
  const expected = `${rate.perSecond} a second on average, and ${rate.burst} at once`;
  const text = `rates.${field}: ${described[field]} exceed ${expected}; retry after ${retryAfterSeconds} s`;
  return new DomainError('LIMIT_EXCEEDED', text, {
    field: `rates.${field}`,
    value,
    expected,
    retryAfterSeconds,
  });
}
