/** Changes of many jobs at once: what is asked, and what became of it. */
import type { Grant, PrincipalKind } from '@rhizome/authz';
import type { JobCriteria } from '../model/job-filter.js';

/** What is done to the jobs. */
export type BulkKind = 'CANCEL' | 'RETRY' | 'HOLD' | 'RELEASE' | 'SET_PRIORITY';

/** Why a job is left alone. */
export type BulkRefusalCode = 'JOB_NOT_FOUND' | 'JOB_STATE_CONFLICT' | 'FORBIDDEN';

/** One refused job. */
export interface BulkRefusal {
  readonly jobId: string;
  readonly code: BulkRefusalCode;
  readonly message: string;
}

/** Values of the change. */
export interface BulkParameters {
  readonly reason?: string | undefined;
  readonly priority?: number | undefined;
  readonly includeDependents?: boolean | undefined;
}

/** What became of some jobs. `changed` are the jobs themselves; for a retry, the copies. */
export interface BulkOutcome {
  readonly changed: readonly string[];
  readonly refused: readonly BulkRefusal[];
}

/** In whose name a change is made, also when it goes on in the background. */
export interface BulkRequester {
  readonly kind: PrincipalKind;
  readonly subject: string;
  readonly grants: readonly Grant[];
}

/** A change of jobs under way: what its parts need to know. */
export interface BulkJob {
  readonly kind: BulkKind;
  readonly parameters: BulkParameters;
  readonly requester: BulkRequester;
  /** The operation, where it is recorded; its mark in the jobs' histories. */
  readonly operationId?: string | undefined;
  /** When it was asked for: the time of the copies that a retry makes. */
  readonly createdAt: Date;
  /** It may have been begun before: jobs that bear its mark count as changed. */
  readonly isResumed: boolean;
}

/** Jobs chosen by id or by filter. */
export type BulkSelection = { readonly ids: readonly string[] } | { readonly criteria: JobCriteria };

/** A fault of the whole call, or of one of its jobs. */
export interface BulkFault {
  readonly code: BulkRefusalCode | 'INVALID_VALUE' | 'IDEMPOTENCY_KEY_REUSED';
  readonly path: readonly string[];
  readonly message: string;
}
