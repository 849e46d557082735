import type { WorkflowErrorCode } from '../submit/workflow-errors.js';

/** Codes of nodes that a payload may not add, in addition to INVALID_VALUE. */
export type AddErrorCode =
  | WorkflowErrorCode
  | 'FENCE_STALE'
  | 'WORKFLOW_NOT_FOUND'
  | 'WORKFLOW_STATE_CONFLICT'
  | 'NODE_LIMIT_EXCEEDED'
  | 'IDEMPOTENCY_KEY_REUSED';
