/** Events of jobs. */
import type { StoredLastEvent } from './job.types.js';

/** What a transition, or a submit, has left in the job's document. */
export interface JobEvent {
  readonly jobId: string;
  readonly last: StoredLastEvent;
}
