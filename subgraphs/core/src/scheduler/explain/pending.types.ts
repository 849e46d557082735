/** What is said of a job that waits. */
import type { JobDocument } from '../../jobs/model/job.types.js';

/** What of a job its waiting depends on. */
export type WaitingJob = Pick<
  JobDocument,
  '_id' | 'state' | 'share' | 'owner' | 'priority' | 'classId' | 'hold' | 'notBefore' | 'waitingFor'
>;

/** A constraint with what meets it. */
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

/** A change of one constraint that would let more workers take the job. */
export interface Relaxation {
  readonly constraint: string;
  readonly change: string;
  readonly queuesGained: number;
  readonly workersGained: number;
  readonly devicesGained: number;
}

/** How long a job may wait. */
export interface WaitEstimate {
  readonly kind: 'ESTIMATED' | 'UNKNOWN';
  readonly seconds: number | null;
  readonly lowSeconds: number | null;
  readonly highSeconds: number | null;
  readonly basedOnGrants: number;
  readonly reason: string;
}

/** What the fleet offers a class, whatever job of it asks. */
export interface FleetFacts {
  readonly constraints: readonly ConstraintFacts[];
  readonly mostFailed: string | null;
  readonly queuesConsidered: number;
  readonly workersConsidered: number;
  readonly devicesConsidered: number;
  readonly workersThatFit: number;
  readonly workersFreeNow: number;
  readonly relaxations: readonly Relaxation[];
}

/** Where a job stands in its share. */
export interface Position {
  readonly position: number | null;
  readonly isPositionEstimated: boolean;
}

/** The facts of `Job.pending`. */
export interface PendingFacts extends FleetFacts, Position {
  readonly summary: string;
  readonly isShareBorrowing: boolean;
  readonly wait: WaitEstimate;
}
