/**
 * The events of one subscriber, one by one. Written as a state machine, because there are very many: a
 * subscriber that has caught up costs no promise.
 */
import { DirectGenerator, type Following, SharedEvent } from '@rhizome/subgraph';
import type { StreamedJobEvent } from '../feed/job-event.js';
import type { JobStream } from './job-stream.js';
import { JobsAhead } from './jobs-ahead.js';
import type { JobEventBatch } from './stream.types.js';

/**
 * One message of `jobStateChanged`; the opening message has no event. Its content depends on nothing else.
 */
export class JobStateChange extends SharedEvent {
  readonly token: string;
  readonly event: StreamedJobEvent | null;
  /** Number of earlier events of the job that it replaces. */
  readonly coalesced: number;
  /**
   * Batch in which its job is read together with those of the following events; undefined for a single event.
   */
  readonly ahead: JobsAhead | undefined;
  /** Its index in that batch. */
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

/** Makes the message of an event; consecutive subscribers of one event get the same message. */
export class JobStateChanges {
  #latest: JobStateChange | undefined;

  /**
   * @param coalesced number of earlier events of the job that the message replaces; such a message belongs to
   * one subscriber
   */
  of(event: StreamedJobEvent, coalesced = 0, ahead?: JobsAhead, at?: number): JobStateChange {
    if (coalesced > 0) return new JobStateChange(event.token, event, coalesced, ahead, at);
    if (this.#latest?.event === event) return this.#latest;
    return (this.#latest = new JobStateChange(event.token, event, 0, ahead, at));
  }
}

type Item = IteratorResult<JobStateChange, void>;
const done: Item = { done: true, value: undefined };

/** Iterator of the messages of one subscriber. */
export class JobChanges extends DirectGenerator<JobStateChange> {
  readonly #stream: JobStream;
  readonly #changes: JobStateChanges;
  #opening: JobStateChange | undefined;
  #batch: JobEventBatch | undefined;
  #ahead: JobsAhead | undefined;
  #at = 0;

  /** @param opening first message, if there is one */
  constructor(stream: JobStream, changes: JobStateChanges, opening: JobStateChange | undefined) {
    super();
    this.#stream = stream;
    this.#changes = changes;
    this.#opening = opening;
  }

  tryNext(): JobStateChange | undefined {
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
      this.#begin(this.#stream.tryNext());
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
      const value = this.tryNext();
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
