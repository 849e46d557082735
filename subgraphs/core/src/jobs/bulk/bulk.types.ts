/** Bulk changes of jobs: request and result. */
import type { ElevationReference, Grant, PrincipalKind } from '@rhizome/authz';
import type { JobCriteria } from '../model/job-filter.js';
import type { RetryChanges } from './retry-changes.js';

/** Kind of change. */
export type BulkKind = 'CANCEL' | 'RETRY' | 'HOLD' | 'RELEASE' | 'SET_PRIORITY';

/** Reason why a job is not changed. */
export type BulkRefusalCode =
  'JOB_NOT_FOUND' | 'JOB_STATE_CONFLICT' | 'FORBIDDEN' | 'QUEUE_NOT_FOUND' | 'INVALID_VALUE';

/** Refused job. */
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
  /** Leaves out jobs that another operation has retried. */
  readonly unlessRetried?: boolean | undefined;
  readonly changes?: RetryChanges | undefined;
  /** Copies continue from checkpoints in any case, or in none; absent: with the same image and command. */
  readonly withCheckpoints?: boolean | undefined;
}

/** Result for some jobs. `changed` lists the jobs themselves; for a retry, their copies. */
export interface BulkOutcome {
  readonly changed: readonly string[];
  readonly refused: readonly BulkRefusal[];
}

/** Principal of a change, also while it continues in the background, with the rights of its token. */
export interface BulkRequester {
  readonly kind: PrincipalKind;
  readonly subject: string;
  readonly grants: readonly Grant[];
  readonly actions?: readonly string[] | undefined;
  readonly boundedBy?: readonly Grant[] | undefined;
  readonly issuer?: string | undefined;
  readonly tokenId?: string | undefined;
  readonly issuedAt?: Date | undefined;
  /** Roles among the grants that count until the elevation ends. */
  readonly elevation?: ElevationReference | undefined;
  /** Ids of its groups. */
  readonly groups?: readonly string[] | undefined;
  /** Subjects of the other identities of the same person. */
  readonly linked?: readonly string[] | undefined;
}

/** Context of a change in progress. */
export interface BulkJob {
  readonly kind: BulkKind;
  readonly parameters: BulkParameters;
  readonly requester: BulkRequester;
  /** Id of the recorded operation; written as a mark into the jobs' histories. */
  readonly operationId?: string | undefined;
  /** Time of the request; also the creation time of the copies that a retry makes. */
  readonly createdAt: Date;
  /** True if the change may have been started before: jobs that carry its mark count as changed. */
  readonly isResumed: boolean;
}

/** Jobs selected by id or by filter. */
export type BulkSelection = { readonly ids: readonly string[] } | { readonly criteria: JobCriteria };

/** Error of the whole call, or of one of its jobs. */
export interface BulkUserError {
  readonly code: BulkRefusalCode | 'IDEMPOTENCY_KEY_REUSED';
  readonly path: readonly string[];
  readonly message: string;
}
