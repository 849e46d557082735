import type { Logger } from '@rhizome/log';
import { Backoff } from '@rhizome/retry';
import { unavailableBackoff } from '../protocol/until-answered.js';
import {
  CoreUnavailable,
  type AcquireRequest,
  type Assignment,
  type CoreProtocol,
} from '../protocol/core-protocol.js';
import type { Slots } from './slots.js';

/** Services that a work finder uses. */
export interface FinderServices {
  readonly core: CoreProtocol;
  readonly slots: Slots;
  readonly remainingSeconds: () => number | null;
  readonly longestIdlePauseMs: number;
}

/** Time that core may hold the request of an idle worker. */
const longPollSeconds = 10;
/**
 * Time to wait for an open request after the finder was stopped: its response may be on its way, with work.
 */
const lastAnswerMs = 500;
/** The same, once core knows that this worker wants no more work. */
const lateAnswerMs = 100;
const maxJobsPerCall = 1000;

/**
 * Requests work for free resources, one request at a time. An idle worker lets core hold its request; one
 * with jobs asks again when resources become free or core announces work, and otherwise with growing delays.
 */
export class WorkFinder {
  readonly #workerId: string;
  readonly #services: FinderServices;
  readonly #log: Logger;
  readonly #stopped = new AbortController();
  readonly #given = new AbortController();
  /** Ends the open request when the finder is paused. */
  #asking = new AbortController();
  #isPaused = false;
  #lastTimer: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;
  #isLookDue = false;

  constructor(workerId: string, services: FinderServices, log: Logger) {
    this.#workerId = workerId;
    this.#services = services;
    this.#log = log;
  }

  /** Requests work now, or right after the open request. */
  requestNow(): void {
    this.#isLookDue = true;
    this.#wake?.();
  }

  /** Makes no requests until it is resumed. */
  pause(): void {
    this.#isPaused = true;
    this.#asking.abort();
  }

  resume(): void {
    this.#isPaused = false;
    this.requestNow();
  }

  /** Makes no more requests. */
  stop(): void {
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort();
    this.#wake?.();
    this.#giveUpIn(lastAnswerMs);
  }

  /** Core knows that no more work is wanted: an open request brings only work that is already on its way. */
  expectNothing(): void {
    this.stop();
    this.#giveUpIn(lateAnswerMs);
  }

  /** Assignments, until the finder is stopped. The caller must book each before it takes the next. */
  async *assignments(): AsyncGenerator<Assignment, void, undefined> {
    const { slots, longestIdlePauseMs } = this.#services;
    const idle = new Backoff({ initialDelayMs: 200, maxDelayMs: longestIdlePauseMs });
    const unavailable = new Backoff(unavailableBackoff);
    const stopListening = slots.onFreed(() => this.requestNow());
    try {
      while (!this.#stopped.signal.aborted) {
        this.#isLookDue = false;
        const request = this.#request();
        if (request === undefined) {
          await this.#pause(undefined);
          continue;
        }
        const found = await this.#ask(request);
        if (found === undefined) {
          await this.#pause(unavailable.next());
          continue;
        }
        unavailable.reset();
        yield* found;
        if (found.length > 0) idle.reset();
        else await this.#pause(idle.next());
      }
    } finally {
      stopListening();
      clearTimeout(this.#lastTimer);
    }
  }

  /** The next request; undefined if nothing is free, or the finder is paused. */
  #request(): AcquireRequest | undefined {
    const { slots, remainingSeconds } = this.#services;
    const { free, isIdle } = slots;
    const left = remainingSeconds();
    if (this.#isPaused || free.cores < 1 || free.memoryMiB < 1 || (left !== null && left < 1))
      return undefined;
    const count = Math.min(free.cores, maxJobsPerCall);
    return {
      workerId: this.#workerId,
      count,
      free,
      freeDeviceIds: slots.freeDeviceIds,
      remainingSeconds: left,
      waitSeconds: isIdle ? longPollSeconds : 0,
    };
  }

  /** The assignments; undefined if there are none and the next request should wait longer. */
  async #ask(request: AcquireRequest): Promise<readonly Assignment[] | undefined> {
    this.#asking = new AbortController();
    const signal = AbortSignal.any([this.#given.signal, this.#asking.signal]);
    try {
      return await this.#services.core.acquireJobs(request, signal);
    } catch (error) {
      if (this.#stopped.signal.aborted || this.#isPaused) return [];
      const level = error instanceof CoreUnavailable ? 'debug' : 'warn';
      this.#log[level]({ err: error }, 'no answer to the question for work');
      return undefined;
    }
  }

  #giveUpIn(ms: number): void {
    clearTimeout(this.#lastTimer);
    this.#lastTimer = setTimeout(() => this.#given.abort(), ms);
  }

  /** Waits, without limit if no time is given, until there is a reason to ask at once. */
  async #pause(ms: number | undefined): Promise<void> {
    if (this.#isLookDue || this.#stopped.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
