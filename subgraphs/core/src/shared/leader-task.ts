import type { Logger } from '@rhizome/log';
import { sleep } from '@rhizome/retry';

/** Pause before failed work is run again, in milliseconds. */
const restartMs = 1000;

/** Background work of the leader: one term after another, never two at once. */
export class LeaderTask {
  readonly #leader: LeaderWork;
  readonly #work: (signal: AbortSignal) => Promise<void>;
  readonly #log: Pick<Logger, 'error'>;
  readonly #pauseMs: number;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #takeNoMore: (() => void) | undefined;

  /** @param work runs in each term until its signal aborts; errors are logged, and it is run again */
  constructor(
    leader: LeaderWork,
    work: (signal: AbortSignal) => Promise<void>,
    log: Pick<Logger, 'error'>,
    pauseMs = restartMs,
  ) {
    this.#leader = leader;
    this.#work = work;
    this.#log = log;
    this.#pauseMs = pauseMs;
  }

  /** Aborted when this process stops, whether it leads or not. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Runs while this process leads. */
  start(): void {
    this.#takeNoMore = this.#leader.onGained((term) => {
      const signal = AbortSignal.any([term, this.#stopping.signal]);
      this.#running = this.#running.then(() => this.#runTerm(signal));
    });
  }

  /** Declines further leadership and waits for the step in progress. */
  async stop(): Promise<void> {
    this.#takeNoMore?.();
    this.#stopping.abort();
    await this.#running;
  }

  async #runTerm(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        return await this.#work(signal);
      } catch (err) {
        this.#log.error({ err }, 'work of the leader failed');
        await sleep(this.#pauseMs, signal);
      }
    }
  }
}

/**
 * Repeats a step with a pause in between, until the signal aborts. Errors are logged and do not end the
 * repetition.
 */
export async function repeat(
  step: () => Promise<void>,
  pauseMs: number,
  signal: AbortSignal,
  onError: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    await step().catch(onError);
    await sleep(pauseMs, signal);
  }
}

/** Registry of work that runs on the leader. */
export interface LeaderWork {
  /** Runs the work whenever this process becomes leader. The signal aborts when it no longer is. */
  onGained(work: (signal: AbortSignal) => void): () => void;
}
