import { sleep } from '@rhizome/retry';

/** What one process does for all while it leads: one term after another, never two at once. */
export class LeaderTask {
  readonly #leader: LeaderWork;
  readonly #work: (signal: AbortSignal) => Promise<void>;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #takeNoMore: (() => void) | undefined;

  /** @param work done in each term, until its signal aborts; it throws nothing */
  constructor(leader: LeaderWork, work: (signal: AbortSignal) => Promise<void>) {
    this.#leader = leader;
    this.#work = work;
  }

  /** Aborted as soon as this process stops, whether it leads or not. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Works whenever this process leads. */
  start(): void {
    this.#takeNoMore = this.#leader.onGained((term) => {
      const signal = AbortSignal.any([term, this.#stopping.signal]);
      this.#running = this.#running.then(() => this.#work(signal));
    });
  }

  /** Takes no more leadership, and waits for the end of the step under way. */
  async stop(): Promise<void> {
    this.#takeNoMore?.();
    this.#stopping.abort();
    await this.#running;
  }
}

/** Does something again and again, with a pause in between, until the signal aborts. A fault is told, and changes nothing. */
export async function repeat(
  step: () => Promise<void>,
  pauseMs: number,
  signal: AbortSignal,
  onFault: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    await step().catch(onFault);
    await sleep(pauseMs, signal);
  }
}

/** Tells who leads: work that one process does for all is registered here. */
export interface LeaderWork {
  /** Runs the work whenever this process becomes leader; the signal is aborted when it no longer is. */
  onGained(work: (signal: AbortSignal) => void): () => void;
}
