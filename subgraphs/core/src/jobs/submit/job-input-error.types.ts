import type { InputError, InputErrors } from '@rhizome/errors';

/** Code of an error of the values of a job, or of the whole call. */
export type JobValueErrorCode =
  | 'INVALID_VALUE'
  | 'EXPERIMENT_NOT_FOUND'
  | 'SHARE_NOT_FOUND'
  | 'SELECTOR_INVALID'
  | 'QUEUE_NOT_FOUND'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'SECRET_NOT_FOUND'
  | 'CONSENT_MISSING';

/** Code of an error because of which a job or a whole call is refused. */
export type JobInputErrorCode = JobValueErrorCode | 'DEPENDENCY_INVALID' | 'BATCH_TOO_LARGE';

/** Error of the values of a job, or of the whole call. */
export type JobValueError = InputError<JobValueErrorCode>;

/** Error because of which a job or a whole call is refused. */
export type JobInputError = InputError<JobInputErrorCode>;

/** Collects errors of the values of jobs, for callers whose own list may have further codes. */
export type JobValueErrors = Omit<InputErrors<JobValueErrorCode>, 'all'>;

/** Collects errors of the input of jobs. */
export type JobInputErrors = InputErrors<JobInputErrorCode>;
