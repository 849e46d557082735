/** Events of jobs. */
import type { StoredLastEvent } from './job.types.js';

/** Event that a transition or a submit stores in the job's document. */
export interface JobEvent {
  readonly jobId: string;
  readonly last: StoredLastEvent;
}
