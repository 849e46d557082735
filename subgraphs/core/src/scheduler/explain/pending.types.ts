/** Explanations of waiting jobs. */
import type { JobDocument } from '../../jobs/model/job.types.js';

/** Facts of a job that its explanation depends on. */
export type WaitingJob = Pick<
  JobDocument,
  '_id' | 'state' | 'share' | 'owner' | 'priority' | 'classId' | 'hold' | 'notBefore' | 'waitingFor'
> &
  /** Of a job that was sent before; of a job of a task. */
  Partial<
    Pick<
      JobDocument,
      'attempt' | 'attempts' | 'plannedEnds' | 'uncountedEnds' | 'retry' | 'workerId' | 'avoid' | 'taskId'
    >
  >;

/** A constraint with the numbers of workers that meet it. */
export interface ConstraintFacts {
  readonly constraint: string;
  readonly queuesThatPass: number;
  readonly workersThatPass: number;
  readonly devicesThatPass: number;
  readonly queuesTogether: number;
  readonly workersTogether: number;
  readonly devicesTogether: number;
  readonly workersThatFailFirst: number;
  readonly reasons: readonly string[];
}

/** A change of one constraint with which more workers could run the job. */
export interface Relaxation {
  readonly constraint: string;
  readonly change: string;
  readonly queuesGained: number;
  readonly workersGained: number;
  readonly devicesGained: number;
}

/** A preference with the number of workers that meet it. */
export interface PreferenceFacts {
  readonly expression: string;
  readonly weight: number;
  /** Part of the weight of all preferences. */
  readonly share: number;
  /** Workers that could run the job when empty, and meet the preference. */
  readonly workersThatMeet: number;
  /** True if only a part of the workers was compared. */
  readonly isEstimated: boolean;
}

/** Estimated waiting time of a job. */
export interface WaitEstimate {
  readonly kind: 'ESTIMATED' | 'UNKNOWN';
  readonly seconds: number | null;
  readonly lowSeconds: number | null;
  readonly highSeconds: number | null;
  readonly basedOnGrants: number;
  readonly reason: string;
}

/** Facts of the fleet for a class, equal for all jobs of it. */
export interface FleetFacts {
  readonly constraints: readonly ConstraintFacts[];
  readonly mostFailed: string | null;
  readonly queuesConsidered: number;
  readonly workersConsidered: number;
  readonly devicesConsidered: number;
  readonly workersThatFit: number;
  readonly workersFreeNow: number;
  readonly relaxations: readonly Relaxation[];
  readonly preferences: readonly PreferenceFacts[];
}

/** Position of a job in its share. */
export interface Position {
  readonly position: number | null;
  readonly isPositionEstimated: boolean;
}

/** Kinds of reasons for which a job waits, as in the schema. */
export type PendingKind =
  | 'HELD'
  | 'PARENTS'
  | 'BACKOFF'
  | 'TASK_PAUSED'
  | 'TASK_STOPPING'
  | 'LIMIT'
  | 'NO_WORKERS'
  | 'NO_MATCH'
  | 'CAPACITY'
  | 'READY'
  | 'CONTACT_LOST';

/** The main reason for which a job waits. */
export interface PendingReason {
  readonly kind: PendingKind;
  readonly text: string;
}

/** The facts of `Job.pending`. */
export interface PendingFacts extends FleetFacts, Position {
  readonly kind: PendingKind;
  readonly summary: string;
  readonly isShareBorrowing: boolean;
  readonly wait: WaitEstimate;
}
