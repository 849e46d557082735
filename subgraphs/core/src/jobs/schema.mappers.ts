/** What stands behind the types of this folder's SDL. */
import type { BulkOperationDocument } from './bulk-operation.document.js';
import type { BulkAnswer } from './bulk.service.js';
import type { BulkFault } from './bulk.types.js';
import type { JobDocument, StoredAttempt } from './job.types.js';
import type { SubmitResult } from './submit.service.js';

/** A job, with at least the stored fields that its selection needs: see `job-fields.ts`. */
export type JobMapper = JobDocument;
export type JobAttemptMapper = StoredAttempt;
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
