/** Options and batches of consumers of the event stream. */
import type { EventFilter } from './event-filter.js';
import type { StreamedJobEvent } from '../feed/job-event.js';

/** Matching events, and the position after them. There may be no events: then only the position has moved. */
export interface JobEventBatch {
  readonly events: readonly StreamedJobEvent[];
  readonly position: string;
  /**
   * In mode LATEST: the number of earlier events of its job that were left out, for each event; if missing,
   * none were.
   */
  readonly coalesced?: readonly number[];
}

/** Mode of a slow consumer: every event, or the latest of each job among those that wait. */
export type StreamMode = 'EVERY' | 'LATEST';

/** Options of a consumer. */
export interface StreamRequest {
  readonly filter: EventFilter;
  readonly after: string;
  readonly signal: AbortSignal;
  /**
   * For a consumer that falls out of the ring: ended with SUBSCRIPTION_LAGGED, or served from the change
   * stream again.
   */
  readonly whenBehind: 'end' | 'replay';
  /** Default: EVERY. */
  readonly mode?: StreamMode;
  /**
   * Time without an event after which an empty batch is yielded, in milliseconds, so that the position moves.
   */
  readonly idleMs?: number;
}
