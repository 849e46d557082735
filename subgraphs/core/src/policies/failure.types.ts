/** A failed attempt, and what follows. */
import type { DecidingError } from '@rhizome/errors';
import type { AfterFailure } from '../jobs/transitions/retry-policy.js';
import type { StateCounts } from '../jobs/ports.js';
import type { AttemptEndChange, RequirementsChange } from '../jobs/transitions/transition.types.js';
import type { ChangeableAmount, StoredAvoidance, StoredDecision } from '../jobs/model/decision.types.js';
import type { JobDocument, StoredAttempt, StoredJobError } from '../jobs/model/job.types.js';

/** Facts of an attempt of the job that decisions depend on. */
export type AttemptFacts = Partial<
  Pick<StoredAttempt, 'number' | 'host' | 'site' | 'decision' | 'uncounted' | 'preemption'>
> & {
  readonly error?: DecidingError | undefined;
};

/** A job whose attempt failed, as it is read for the decision. */
export type FailedJob = Pick<
  JobDocument,
  | '_id'
  | 'attempt'
  | 'plannedEnds'
  | 'uncountedEnds'
  | 'retry'
  | 'experiment'
  | 'owner'
  | 'taskId'
  | 'labels'
  | 'requirements'
  | 'classId'
  | 'queue'
  | 'avoid'
> & {
  readonly payload?: { readonly notice?: unknown };
  /** Oldest first; the last one has failed. */
  readonly attempts?: readonly AttemptFacts[];
};

/** End of an attempt with an error. */
export type FailedEnd = AttemptEndChange & { readonly error: StoredJobError };

/** Largest amounts that one kind of worker offers to a job together. */
export type OfferedAmounts = Readonly<Record<ChangeableAmount, number>>;

/** A failure to decide about. */
export interface Failure {
  readonly job: FailedJob;
  readonly end: FailedEnd;
  /** Largest amounts that are offered to the job; empty, or absent, if they are unknown. */
  readonly offers?: (() => readonly OfferedAmounts[]) | undefined;
  /** Jobs of its task by state, undefined if they are unknown now; absent in a replay. */
  readonly taskStates?: (() => StateCounts | undefined) | undefined;
}

/** A failure with the facts that rules match. */
export interface FailureFacts extends Failure {
  /** Number of the attempt, without those that do not count. */
  readonly attempt: number;
  readonly host: string | undefined;
  readonly site: string | undefined;
}

/** Decision about a failed attempt, with the changes that the transition writes. */
export interface FailureDecision {
  readonly after: AfterFailure | { readonly to: 'PENDING'; readonly hold: { by: string; reason: string } };
  readonly avoid?: StoredAvoidance;
  readonly requirements?: RequirementsChange;
  readonly decision?: StoredDecision;
  /** Error of the attempt, if it is not the reported one. */
  readonly error?: StoredJobError;
  /** Uncounted ends of a job that ends by the decision, null for none: with others it might go on. */
  readonly uncountedEnds?: number | null;
}

/** Actor that holds jobs by a rule. */
export const policyActor = 'system:policy';
