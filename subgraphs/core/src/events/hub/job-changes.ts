/** The events of one subscriber, one by one. Written out by hand, because there are very many: who has caught up costs no promise. */
import { DirectGenerator, type Following, SharedEvent } from '@rhizome/subgraph';
import type { StreamedJobEvent } from '../feed/job-event.js';
import type { JobStream } from './job-stream.js';
import { JobsAhead } from './jobs-ahead.js';
import type { JobEventBatch } from './stream.types.js';

/** One message of `jobStateChanged`; without an event it is the opening one. What is told of it hangs on nothing else. */
export class JobStateChange extends SharedEvent {
  readonly token: string;
  readonly event: StreamedJobEvent | null;
  /** Earlier events of the job that it stands for as well. */
  readonly coalesced: number;
  /** Where its job is read together with those of the events that follow; undefined for one alone. */
  readonly ahead: JobsAhead | undefined;
  /** Its place there. */
  readonly at: number;

  constructor(token: string, event: StreamedJobEvent | null, coalesced = 0, ahead?: JobsAhead, at = 0) {
    super();
    this.token = token;
    this.event = event;
    this.coalesced = coalesced;
    this.ahead = ahead;
    this.at = at;
  }
}

/** A message that is not the opening one. */
export type JobStateEvent = JobStateChange & { readonly event: StreamedJobEvent };

/** Makes the message of an event, the same one for all who hear of the event one after the other. */
export class JobStateChanges {
  #latest: JobStateChange | undefined;

  /** @param coalesced earlier events of the job that it stands for as well: such a message is its subscriber's own */
  of(event: StreamedJobEvent, coalesced = 0, ahead?: JobsAhead, at?: number): JobStateChange {
    if (coalesced > 0) return new JobStateChange(event.token, event, coalesced, ahead, at);
    if (this.#latest?.event === event) return this.#latest;
    return (this.#latest = new JobStateChange(event.token, event, 0, ahead, at));
  }
}

type Item = IteratorResult<JobStateChange, void>;
const done: Item = { done: true, value: undefined };

/** See the head of this file. */
export class JobChanges extends DirectGenerator<JobStateChange> {
  readonly #stream: JobStream;
  readonly #changes: JobStateChanges;
  #opening: JobStateChange | undefined;
  #batch: JobEventBatch | undefined;
  #ahead: JobsAhead | undefined;
  #at = 0;

  /** @param opening told first, where there is one */
  constructor(stream: JobStream, changes: JobStateChanges, opening: JobStateChange | undefined) {
    super();
    this.#stream = stream;
    this.#changes = changes;
    this.#opening = opening;
  }

  take(): JobStateChange | undefined {
    const opening = this.#opening;
    this.#opening = undefined;
    if (opening) return opening;
    for (;;) {
      const event = this.#batch?.events[this.#at];
      if (event) {
        const at = this.#at++;
        const coalesced = this.#batch?.coalesced?.[at];
        return this.#changes.of(event, coalesced, this.#ahead, at);
      }
      this.#begin(this.#stream.take());
      if (!this.#batch) return undefined;
    }
  }

  #begin(batch: JobEventBatch | undefined): void {
    this.#batch = batch;
    this.#at = 0;
    this.#ahead?.release();
    this.#ahead = batch && batch.events.length > 1 ? new JobsAhead(batch.events) : undefined;
  }

  follow(listener: () => void): Following {
    return this.#stream.follow(listener);
  }

  async next(): Promise<Item> {
    for (;;) {
      const value = this.take();
      if (value) return { done: false, value };
      const { value: batch } = await this.#stream.next();
      if (!batch) return done;
      this.#begin(batch);
    }
  }

  async return(): Promise<Item> {
    this.#opening = undefined;
    this.#begin(undefined);
    await this.#stream.return();
    return done;
  }
}
