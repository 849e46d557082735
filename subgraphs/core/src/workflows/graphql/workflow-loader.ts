import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import { nodeIdOf } from '../model/node.document.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { ScopedWorkflow } from '../views/subgraph-view.js';
import type { NodeView } from '../views/workflows.service.js';

/** Loads workflows by id; null if the principal may not see it. */
export const workflowLoader = defineLoader<string, WorkflowDocument, Context>({
  name: 'Workflow',
  load: (ids, { core, principal }) => core.workflows.views.findMany(ids, principal),
});

/** Loads nodes by id; null if the principal may not see it. */
export const nodeLoader = defineLoader<string, NodeView, Context>({
  name: 'WorkflowNode',
  load: (ids, { core, principal }) => core.workflows.views.findNodes(ids, principal),
});

/** Loads what the progress of sub-graphs follows from, by workflow; the caller has seen its nodes. */
export const scopesLoader = defineLoader<string, ScopedWorkflow, Context>({
  name: 'WorkflowSubgraph',
  load: (ids, { core }) => core.workflows.views.scopes(ids),
});

/** Node that a job runs; null for a job outside a workflow. */
export function nodeOfJob(
  { workflow }: Pick<JobDocument, 'workflow'>,
  _args: object,
  { loaders }: Context,
): Promise<NodeView | null> | null {
  return workflow ? loaders.load(nodeLoader, nodeIdOf(workflow.id, workflow.node)) : null;
}
