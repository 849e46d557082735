import type { InputError, InputErrors } from '@rhizome/errors';
import type { JobValueErrorCode } from '../../jobs/submit/job-input-error.types.js';

/** Code of an error because of which nodes are refused. */
export type WorkflowErrorCode =
  | JobValueErrorCode
  | 'WORKFLOW_TOO_LARGE'
  | 'NODE_NAME_TAKEN'
  | 'NODE_NOT_FOUND'
  | 'LABEL_NOT_FOUND'
  | 'CYCLE'
  | 'NODE_UNREACHABLE'
  | 'QUEUE_LIMIT_EXCEEDED';

/** Error because of which nodes are refused. */
export type WorkflowError = InputError<WorkflowErrorCode>;

/** Collects them. */
export type WorkflowErrors = InputErrors<WorkflowErrorCode>;
