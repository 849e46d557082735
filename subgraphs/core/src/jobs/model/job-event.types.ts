/** Events of jobs. */
import type { StoredLastEvent } from './job.types.js';

/** Event that a transition or a submit stores in the job's document. */
export interface JobEvent {
  /** Position in the stream: texts that sort as the events do. See `encodeCursor`. */
  readonly token: string;
  readonly jobId: string;
  readonly last: StoredLastEvent;
}
