/** Parent types of the stream of workflows. */
import type { WorkflowChange } from '../progress/workflow-stream.js';

export type WorkflowChangedMapper = WorkflowChange;
