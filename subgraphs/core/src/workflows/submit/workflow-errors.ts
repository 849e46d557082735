import type { InputError, InputErrors } from '@rhizome/errors';
import type { JobValueErrorCode } from '../../jobs/submit/job-input-error.types.js';

/** Code of an error of a graph. */
export type GraphErrorCode =
  | 'WORKFLOW_TOO_LARGE'
  | 'NODE_NOT_FOUND'
  | 'LABEL_NOT_FOUND'
  | 'CYCLE'
  | 'NODE_UNREACHABLE'
  | 'FILE_NOT_DECLARED';

/** Code of an error because of which nodes are refused. */
export type WorkflowErrorCode =
  GraphErrorCode | JobValueErrorCode | 'NODE_NAME_TAKEN' | 'QUEUE_LIMIT_EXCEEDED';

/** Code of an error because of which a workflow is refused. */
export type SubmitErrorCode = WorkflowErrorCode | 'TEMPLATE_NOT_FOUND';

/** Error because of which a workflow is refused. */
export type WorkflowError = InputError<SubmitErrorCode>;

/** Collects errors of a call, whose codes may be more than these. */
type ErrorsOf<C extends string> = Omit<InputErrors<C>, 'all' | 'addAll'> & {
  readonly all: readonly unknown[];
};

/** Collects errors of graphs. */
export type GraphErrors = ErrorsOf<GraphErrorCode>;

/** Collects errors of nodes and graphs. */
export type WorkflowErrors = ErrorsOf<WorkflowErrorCode>;
