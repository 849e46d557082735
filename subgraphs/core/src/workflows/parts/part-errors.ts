import type { InputErrors } from '@rhizome/errors';
import type { WorkflowAccessCode } from '../control/workflow-access.js';
import type { GraphErrorCode, WorkflowErrorCode } from '../submit/workflow-errors.js';

/** Code of an error because of which a workflow cannot be completed. */
export type UnsealedErrorCode = WorkflowAccessCode | 'WORKFLOW_STATE_CONFLICT';

/** Code of an error because of which a part is refused. */
export type PartErrorCode = UnsealedErrorCode | WorkflowErrorCode | 'PART_CONFLICT' | 'PART_OUT_OF_ORDER';

/** Code of an error because of which a workflow is not sealed. */
export type SealErrorCode =
  | UnsealedErrorCode
  | GraphErrorCode
  | 'PART_INCOMPLETE'
  | 'QUEUE_LIMIT_EXCEEDED'
  | 'SHARE_NOT_FOUND'
  | 'CONSENT_MISSING';

/** Collects errors because of which a workflow cannot be completed. */
export type UnsealedErrors = Pick<InputErrors<UnsealedErrorCode>, 'report'>;
