/** What stands behind the types of this folder's SDL. */
import type { KeysetPage } from '@rhizome/mongo';
import type { BulkOperationDocument } from '../bulk/bulk-operation.document.js';
import type { BulkAnswer } from '../bulk/bulk.service.js';
import type { BulkFault } from '../bulk/bulk.types.js';
import type { JobView } from '../model/job-visibility.js';
import type { JobDocument, StoredAttempt, StoredJobError, StoredPayload } from '../model/job.types.js';
import type { SubmitResult } from '../submit/submit.service.js';

/** A job, with at least the stored fields that its selection needs: see `job-fields.ts`. */
export type JobMapper = JobDocument;
export type JobConnectionMapper = KeysetPage<JobDocument>;
export type JobErrorMapper = StoredJobError;
/** What is stored of a hold. */
export type JobHoldMapper = NonNullable<JobDocument['hold']>;
export type JobAttemptMapper = StoredAttempt;
/** A payload, with the job it is of: that decides who reads its environment. */
export interface JobPayloadMapper extends StoredPayload {
  readonly job: JobView;
}
export type BulkOperationMapper = BulkOperationDocument;
export type BulkResultMapper = BulkAnswer;
/** Jobs that are known by their ids alone are read where they are asked for. */
export type SubmitJobsPayloadMapper = SubmitResult;
/** The copies are read where they are asked for. */
export interface RetryJobsPayloadMapper {
  readonly jobIds: readonly string[];
  readonly result: BulkAnswer | null;
  readonly userErrors: readonly BulkFault[];
}
