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

/** What a finder is handed. */
export interface FinderServices {
  readonly core: CoreProtocol;
  readonly slots: Slots;
  readonly remainingSeconds: () => number | null;
  readonly longestIdlePauseMs: number;
}

/** How long core may keep an idle worker's question open. */
const longPollSeconds = 10;
/** How long an open question is waited for after the finder was stopped: its answer may be on its way, with work. */
const lastAnswerMs = 500;
/** The same once core knows that no more is wanted. */
const lateAnswerMs = 100;
const maxJobsPerCall = 1000;

/**
 * Asks for work for what is free, one question at a time. An idle worker leaves its question open at core; one with jobs asks again when
 * something gets free, when core says that there is work, and otherwise with growing pauses.
 */
export class WorkFinder {
  readonly #workerId: string;
  readonly #services: FinderServices;
  readonly #log: Logger;
  readonly #stopped = new AbortController();
  readonly #given = new AbortController();
  #lastTimer: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;
  #isLookDue = false;

  constructor(workerId: string, services: FinderServices, log: Logger) {
    this.#workerId = workerId;
    this.#services = services;
    this.#log = log;
  }

  /** Looks for work now, or again right after the question that is open. */
  requestNow(): void {
    this.#isLookDue = true;
    this.#wake?.();
  }

  /** Asks no more. */
  stop(): void {
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort();
    this.#wake?.();
    this.#giveUpIn(lastAnswerMs);
  }

  /** Core knows that no more is wanted: an open question brings nothing but what is on its way. */
  expectNothing(): void {
    this.stop();
    this.#giveUpIn(lateAnswerMs);
  }

  /** Work, until the finder is stopped. What is yielded must be booked before the next is asked for. */
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

  /** What to ask for; undefined when nothing is free. */
  #request(): AcquireRequest | undefined {
    const { slots, remainingSeconds } = this.#services;
    const { free, isIdle } = slots;
    const left = remainingSeconds();
    if (free.cores < 1 || free.memoryMiB < 1 || (left !== null && left < 1)) return undefined;
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

  /** The answer; undefined when there was none, and the next question should wait longer each time. */
  async #ask(request: AcquireRequest): Promise<readonly Assignment[] | undefined> {
    try {
      return await this.#services.core.acquireJobs(request, this.#given.signal);
    } catch (error) {
      if (this.#stopped.signal.aborted) return [];
      const level = error instanceof CoreUnavailable ? 'debug' : 'warn';
      this.#log[level]({ err: error }, 'no answer to the question for work');
      return undefined;
    }
  }

  #giveUpIn(ms: number): void {
    clearTimeout(this.#lastTimer);
    this.#lastTimer = setTimeout(() => this.#given.abort(), ms);
  }

  /** Waits, for ever when no time is given, unless there is a reason to look at once. */
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
