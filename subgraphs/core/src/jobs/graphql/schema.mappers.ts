/** Parent types of the resolvers of this folder's SDL. */
import type { KeysetPage } from '@rhizome/mongo';
import type { BulkOperationDocument } from '../bulk/bulk-operation.document.js';
import type { BulkAnswer } from '../bulk/bulk.service.js';
import type { BulkUserError } from '../bulk/bulk.types.js';
import type { JobView } from '../model/job-visibility.js';
import type {
  JobDocument,
  StoredAttempt,
  StoredInput,
  StoredJobError,
  StoredPayload,
  StoredTransition,
} from '../model/job.types.js';
import type { SubmitResult } from '../submit/submit.service.js';

/** Job with at least the stored fields that its selection needs; see `job-fields.ts`. */
export type JobMapper = JobDocument;
export type JobConnectionMapper = KeysetPage<JobDocument>;
export type JobErrorMapper = StoredJobError;
/** Stored hold of a job. */
export type JobHoldMapper = NonNullable<JobDocument['hold']>;
export type JobTransitionMapper = StoredTransition;
export type JobAttemptMapper = StoredAttempt;
export type FileReferenceMapper = StoredInput;
/** Payload and its job, which determines who may read the environment. */
export interface JobPayloadMapper extends StoredPayload {
  readonly job: JobView;
}
export type BulkOperationMapper = BulkOperationDocument;
export type BulkResultMapper = BulkAnswer;
/** Jobs that are known only by id are read when they are selected. */
export type SubmitJobsPayloadMapper = SubmitResult;
/** Copies are read when they are selected. */
export interface RetryJobsPayloadMapper {
  readonly jobIds: readonly string[];
  readonly result: BulkAnswer | null;
  readonly userErrors: readonly BulkUserError[];
}
