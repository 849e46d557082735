/** Limits guesses of codes and tokens, over all gateways. */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { LRUCache } from 'lru-cache';
import type { FailedGuessesRepository } from './failed-guesses.repository.js';

/** Failures that are allowed in any period of this length. */
export interface GuessLimit {
  readonly count: number;
  readonly periodMs: number;
}

/** Ports of {@link FailedGuesses}. */
export interface FailedGuessesOptions {
  readonly failures: FailedGuessesRepository;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Addresses whose failures are known here. */
const known = 50_000;

/**
 * Failures of the last minutes by address. Each is one write; a success costs nothing. The failures at other
 * gateways arrive by the change stream, and with the answer to each write.
 */
export class FailedGuesses {
  readonly #options: FailedGuessesOptions;
  /** Times in milliseconds since 1970, the oldest first. */
  readonly #failures = new LRUCache<string, readonly number[]>({ max: known });

  constructor(options: FailedGuessesOptions) {
    this.#options = options;
  }

  /** Number of guesses that may fail now. */
  left(id: string, { count, periodMs }: GuessLimit): number {
    return Math.max(0, count - this.#countSince(id, this.#now() - periodMs));
  }

  /** Seconds until a guess may fail; 0 if it may now. */
  secondsUntilNext(id: string, limit: GuessLimit): number {
    if (this.left(id, limit) > 0) return 0;
    const oldest = this.#failures.get(id)?.at(-limit.count) ?? 0;
    return Math.max(0, oldest + limit.periodMs - this.#now()) / 1000;
  }

  /**
   * Records a failure for all gateways. Returns false if it is one more than is allowed: its answer must not
   * say whether the guess was right.
   */
  async add(id: string, limit: GuessLimit): Promise<boolean> {
    const { failures, clock, log } = this.#options;
    const at = clock.now();
    const most = limit.count + 1;
    const here = [...(this.#failures.get(id) ?? []), at.getTime()].sort((a, b) => a - b);
    this.#failures.set(id, here.slice(-most));
    try {
      this.#learn(id, await failures.add(id, at, new Date(at.getTime() + limit.periodMs), most));
    } catch (error) {
      // The limit of this process holds all the same.
      log.warn({ err: error }, 'failed login not shared');
    }
    return this.#countSince(id, at.getTime() - limit.periodMs) <= limit.count;
  }

  /** Reads failures again. @param ids those that have changed; undefined for all */
  async refresh(ids?: readonly string[]): Promise<void> {
    const found = await this.#options.failures.current(this.#options.clock.now(), ids);
    for (const { _id, failedAt } of found) this.#learn(_id, failedAt);
  }

  /** Takes over failures from the store, unless newer ones are known. */
  #learn(id: string, failedAt: readonly Date[]): void {
    const times = failedAt.map((one) => one.getTime());
    const last = this.#failures.get(id)?.at(-1) ?? 0;
    if ((times.at(-1) ?? 0) >= last) this.#failures.set(id, times);
  }

  #countSince(id: string, since: number): number {
    return (this.#failures.get(id) ?? []).filter((at) => at > since).length;
  }

  #now(): number {
    return this.#options.clock.now().getTime();
  }
}
