/** What consumers of the event stream ask for, and what they get. */
import type { EventFilter } from './event-filter.js';
import type { StreamedJobEvent } from '../feed/job-event.js';

/** Events that match, and the place after them. Events may be empty: then only the place went on. */
export interface JobEventBatch {
  readonly events: readonly StreamedJobEvent[];
  readonly position: string;
  /** In mode LATEST: for each event, how many earlier ones of its job were left out; without it none was. */
  readonly coalesced?: readonly number[];
}

/** Whether a slow consumer gets each event, or the latest of each job among those that wait for it. */
export type StreamMode = 'EVERY' | 'LATEST';

/** What a consumer asks for. */
export interface StreamRequest {
  readonly filter: EventFilter;
  readonly after: string;
  readonly signal: AbortSignal;
  /** A consumer that falls out of the ring: ended with SUBSCRIPTION_LAGGED, or served from the change stream again. */
  readonly whenBehind: 'end' | 'replay';
  /** EVERY unless given. */
  readonly mode?: StreamMode;
  /** Yield an empty batch after this time without an event, so that the place goes on. */
  readonly idleMs?: number;
}
