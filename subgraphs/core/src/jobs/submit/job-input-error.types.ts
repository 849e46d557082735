import type { InputError, InputErrors } from '@rhizome/errors';

/** Code of an error because of which a job or a whole call is refused. */
export type JobInputErrorCode =
  | 'INVALID_VALUE'
  | 'EXPERIMENT_NOT_FOUND'
  | 'SHARE_NOT_FOUND'
  | 'DEPENDENCY_INVALID'
  | 'SELECTOR_INVALID'
  | 'QUEUE_NOT_FOUND'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'BATCH_TOO_LARGE'
  | 'SECRET_NOT_FOUND'
  | 'CONSENT_MISSING';

/** Error because of which a job or a whole call is refused. */
export type JobInputError = InputError<JobInputErrorCode>;

/** Collects errors of the input of jobs. */
export type JobInputErrors = InputErrors<JobInputErrorCode>;
