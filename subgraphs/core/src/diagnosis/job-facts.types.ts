/** Facts that the diagnosis of a job is made from. */
import type { JobDocument } from '../jobs/model/job.types.js';
import type { StoredProgress } from '../jobs/checkpoints/job-progress.document.js';
import type { DowntimeWindow } from '../queues/downtimes/downtime-window.js';
import type { PendingFacts } from '../scheduler/explain/pending.types.js';
import type { HostState } from '../scheduler/cache/host-standing.types.js';
import type { OutcomeJob } from './outcomes.js';
import type { Peers } from './peers.js';

/** Stored fields of a job that is diagnosed. */
export type DiagnosedJob = Pick<
  JobDocument,
  | '_id'
  | 'revision'
  | 'experiment'
  | 'name'
  | 'owner'
  | 'share'
  | 'taskId'
  | 'priority'
  | 'classId'
  | 'requirements'
  | 'retry'
  | 'waitingFor'
  | 'state'
  | 'hold'
  | 'notBefore'
  | 'avoid'
  | 'attempt'
  | 'attempts'
  | 'workerId'
  | 'queueId'
  | 'queue'
  | 'exitCode'
  | 'error'
  | 'metrics'
  | 'transitions'
  | 'stateTimes'
  | 'retryOf'
  | 'retriedBy'
  | 'workflow'
  | 'fleet'
>;

/** Parent of a job, or a job that was looked at. */
export interface RelatedJob extends OutcomeJob {
  readonly name?: string;
}

/** State of a host that is not healthy. */
export interface HostFacts {
  readonly host: string;
  readonly queue: string;
  readonly state: HostState;
  readonly reason: string;
  readonly since: Date;
  /** Interval of the failures because of which core or a rule gave it the state; absent for an operator's. */
  readonly judged?: { readonly firstAt: Date; readonly lastAt: Date };
}

/** Queue that the job requires, or that has its attempt. */
export interface QueueFacts {
  readonly name: string;
  readonly state: string;
  readonly stateReason?: string;
  readonly stateChangedAt: Date;
  readonly downtimes: readonly DowntimeWindow[];
  /** Reason for which core could not submit the latest test of a host. */
  readonly hostProblem?: string;
}

/** Facts of a job; absent ones do not apply to its state, or are unknown. */
export interface JobFacts {
  readonly job: DiagnosedJob;
  readonly now: Date;
  /** Of a job that waits, or whose worker is out of contact. */
  readonly pending?: PendingFacts | null | undefined;
  /** End of the log of the latest attempt. */
  readonly log?: string | null | undefined;
  /** Failures with the code of the latest attempt. */
  readonly peers?: Peers | undefined;
  /** Jobs with the same failure, and the copies of those that were retried. */
  readonly similar?: readonly RelatedJob[] | undefined;
  readonly copies?: ReadonlyMap<string, RelatedJob> | undefined;
  /** Parents that have not finished. */
  readonly parents?: readonly RelatedJob[] | undefined;
  /** Host of the latest attempt, if it is not healthy. */
  readonly host?: HostFacts | undefined;
  readonly queue?: QueueFacts | undefined;
  readonly progress?: StoredProgress | undefined;
}
