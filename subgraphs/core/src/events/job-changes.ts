/** The events of one subscriber, one by one. Written out by hand, because there are very many: it costs a promise for each event, and no more. */
import type { JobEvent } from './job-event.js';
import type { JobEventBatch } from './job-stream.js';

/** One message of `jobStateChanged`; without an event it is the opening one. */
export interface JobStateChange {
  readonly token: string;
  readonly event: JobEvent | null;
  /** Earlier events of the job that it stands for as well. */
  readonly coalesced?: number | undefined;
}

type Item = IteratorResult<JobStateChange, void>;
const done: Item = { done: true, value: undefined };

/** See the head of this file. */
export class JobChanges implements AsyncGenerator<JobStateChange, void, undefined> {
  readonly #batches: AsyncGenerator<JobEventBatch, void, undefined>;
  #opening: JobStateChange | undefined;
  #batch: JobEventBatch | undefined;
  #at = 0;

  /** @param opening told first, where there is one */
  constructor(batches: AsyncGenerator<JobEventBatch, void, undefined>, opening: JobStateChange | undefined) {
    this.#batches = batches;
    this.#opening = opening;
  }

  next(): Promise<Item> {
    const opening = this.#opening;
    this.#opening = undefined;
    const value = opening ?? this.#take();
    return value ? Promise.resolve({ done: false, value }) : this.#pull();
  }

  async return(): Promise<Item> {
    this.#opening = undefined;
    this.#batch = undefined;
    await this.#batches.return();
    return done;
  }

  async throw(error: unknown): Promise<Item> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #pull(): Promise<Item> {
    for (;;) {
      const { value: batch } = await this.#batches.next();
      if (!batch) return done;
      this.#batch = batch;
      this.#at = 0;
      const value = this.#take();
      if (value) return { done: false, value };
    }
  }

  #take(): JobStateChange | undefined {
    const event = this.#batch?.events[this.#at];
    if (!event) return undefined;
    const coalesced = this.#batch?.coalesced?.[this.#at];
    this.#at += 1;
    return { token: event.token, event, coalesced };
  }
}
