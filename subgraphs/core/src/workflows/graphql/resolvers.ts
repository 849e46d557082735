/** Resolvers of workflows: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { connection } from '@rhizome/subgraph';
import { DomainError } from '@rhizome/errors';
import type { Context } from '../../context.js';
import { experimentNamed } from '../../jobs/graphql/experiment-of.js';
import { requirementChangesOf, retryChangesOf } from '../../jobs/graphql/retry-changes-input.js';
import { loadJob } from '../../jobs/graphql/job-loader.js';
import { shareOf, shareOfPolicy } from '../../shares/graphql/resolvers.js';
import type { Resolvers } from '../../types.generated.js';
import { countsOf, endedIn, nodesIn } from '../model/node-rules.js';
import { shownState } from '../model/workflow.types.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import { nodeJobIds } from '../run/node-jobs.js';
import type { NodeView } from '../views/workflows.service.js';
import { nodeIdOf } from '../model/node.document.js';
import { subgraphOf } from '../views/subgraph-view.js';
import { nodeLoader, scopesLoader, workflowLoader } from './workflow-loader.js';

type Types =
  | 'Query'
  | 'Mutation'
  | 'Job'
  | 'JobNodeFile'
  | 'JobNodeFileConnection'
  | 'Workflow'
  | 'WorkflowCommand'
  | 'WorkflowConnection'
  | 'WorkflowDependentConnection'
  | 'WorkflowGroupEdge'
  | 'WorkflowLabelCounts'
  | 'WorkflowLabelLayer'
  | 'WorkflowNode'
  | 'WorkflowNodeConnection'
  | 'WorkflowNodeCounts'
  | 'WorkflowSubgraph';

async function workflowOf({ workflowId }: NodeView, { loaders }: Context): Promise<WorkflowDocument> {
  const workflow = await loaders.load(workflowLoader, workflowId);
  if (workflow) return workflow;
  throw new DomainError('WORKFLOW_NOT_FOUND', `Workflow "${workflowId}" not found.`, { value: workflowId });
}

const jobIdOf = (node: NodeView): string | null => nodeJobIds(node.workflowId)(node) ?? null;

const workflow: NonNullable<Resolvers['Workflow']> = {
  __resolveReference: ({ id }, { loaders }) => loaders.load(workflowLoader, String(id)),
  id: ({ _id }) => _id,
  experiment: ({ experiment }, _args, context) => experimentNamed(experiment, context),
  owner: ({ owner: subject }) => ({ subject }),
  submittedBy: ({ submittedBy, owner }) => ({ subject: submittedBy ?? owner }),
  share: shareOf,
  sharePath: ({ share }) => share,
  counts: ({ groups }) => countsOf(groups),
  labelCounts: ({ groups }) => [...groups],
  layers: async (of, _args, { core }) => [...(await core.workflows.views.layers(of))],
  labelLayers: async (of, _args, { core }) => [...(await core.workflows.labelLayers.of(of))],
  criticalPathNodes: ({ layers }) => layers,
  endedFraction: ({ groups }) => {
    const counts = countsOf(groups);
    const all = nodesIn(counts);
    return all === 0 ? 0 : endedIn(counts) / all;
  },
  estimatedEndAt: (of, _args, { core }) => core.workflows.views.estimatedEnd(of),
  groupEdges: ({ groupEdges }) => [...groupEdges],
  pause: ({ pause }) => pause ?? null,
  cancellation: ({ cancel }) => cancel ?? null,
  partCount: ({ partCount }) => partCount ?? 0,
  clonedFrom: ({ clonedFrom }, _args, { loaders }) =>
    clonedFrom === undefined ? null : loaders.load(workflowLoader, clonedFrom),
  sealedAt: ({ sealedAt }) => sealedAt ?? null,
  endedAt: ({ endedAt }) => endedAt ?? null,
  nodes: (of, { filter, first, after }, { core }) =>
    core.workflows.views.nodes(of, filter, { first: first ?? 50, after }),
};

const node: NonNullable<Resolvers['WorkflowNode']> = {
  id: ({ _id }) => _id,
  label: ({ label }) => (label === '' ? null : label),
  workflow: (of, _args, context) => workflowOf(of, context),
  state: ({ state }) => shownState(state),
  edgeCount: ({ total }) => total,
  neededEdges: ({ needed }) => needed,
  // A parent that runs again counts again in nodes that keep their ends.
  metEdges: ({ met, total }) => Math.min(met, total),
  lostEdges: ({ lost, total }) => Math.min(lost, total),
  job: (of, _args, context, info) => {
    const id = jobIdOf(of);
    return id === null ? null : loadJob(id, context, info);
  },
  jobId: jobIdOf,
  submittedAt: ({ submittedAt }) => submittedAt ?? null,
  endedAt: ({ endedAt }) => endedAt ?? null,
  maxAddedNodes: ({ maxAdded }) => maxAdded ?? null,
  addedBy: ({ workflowId, addedBy }, _args, { loaders }) =>
    addedBy === undefined ? null : loaders.load(nodeLoader, nodeIdOf(workflowId, addedBy)),
  iteration: ({ iteration }) => iteration ?? null,
  subgraph: async (of, _args, { loaders }) => {
    const workflow = of.subgraph && (await loaders.load(scopesLoader, of.workflowId));
    return workflow ? subgraphOf(of, workflow) : null;
  },
  reason: (of, _args, context) =>
    context.core.workflows.views.reasonOf(of, () => context.loaders.load(workflowLoader, of.workflowId)),
  endedBy: ({ by: subject }) => (subject === undefined ? null : { subject }),
  dependents: (of, { first, after }, { core }) =>
    core.workflows.views.dependents(of, { first: first ?? 50, after }),
};

/** Resolvers of this folder's SDL. */
export const workflowResolvers: Pick<Resolvers, Types> = {
  Query: {
    workflow: (_parent, { id }, { loaders }) => loaders.load(workflowLoader, id),
    workflows: (_parent, { filter, first, after }, { core, principal }) =>
      core.workflows.views.page(principal, filter, { first: first ?? 20, after }),
  },
  Mutation: {
    submitWorkflow: (_parent, { input }, { core, principal }) =>
      core.workflows.submits.submit(principal, input),
    appendWorkflowNodes: (_parent, { input }, { core, principal }) =>
      core.workflows.parts.append(principal, input),
    sealWorkflow: (_parent, { input }, { core, principal }) => core.workflows.seals.seal(principal, input),
    pauseWorkflow: (_parent, { input }, { core, principal }) =>
      core.workflows.commands.pause(principal, input),
    resumeWorkflow: (_parent, { input }, { core, principal }) =>
      core.workflows.commands.resume(principal, input),
    cancelWorkflow: (_parent, { input: { nodes, ...command } }, { core, principal }) =>
      nodes
        ? core.workflows.commands.cancelNodes(principal, { ...command, nodes })
        : core.workflows.commands.cancel(principal, command),
    retryWorkflow: (_parent, { input: { requirements, payload, ...command } }, { core, principal }) =>
      core.workflows.retries.retry(principal, {
        ...command,
        changes: retryChangesOf({ requirements, payload }),
      }),
    addWorkflowNodes: (_parent, { input }, { core, principal }) =>
      core.workflows.additions.add(principal, input),
    cloneWorkflow: (_parent, { input: { nodeLabels, ...spec } }, { core, principal }) =>
      core.workflows.clones.clone(principal, {
        ...spec,
        nodeLabels: nodeLabels?.map(({ requirements, ...label }) => ({
          ...label,
          requirements: requirementChangesOf(requirements),
        })),
      }),
    markWorkflowNodes: (_parent, { input }, { core, principal }) =>
      core.workflows.retries.mark(principal, input),
  },
  Job: {
    nodeFiles: (job, { first, after }, { core }) =>
      core.workflows.files.of(job, { first: first ?? 50, after }),
  },
  JobNodeFile: {
    jobId: ({ jobId }) => jobId ?? null,
    output: ({ output }) => output ?? null,
  },
  JobNodeFileConnection: connection,
  Workflow: workflow,
  WorkflowCommand: {
    by: ({ by: subject }) => ({ subject }),
    reason: ({ reason }) => reason ?? null,
  },
  WorkflowConnection: connection,
  WorkflowDependentConnection: connection,
  WorkflowGroupEdge: {
    from: ({ from }) => from ?? null,
    to: ({ to }) => to ?? null,
    isMet: ({ outcome }) => (outcome === undefined ? null : outcome === 'MET'),
  },
  WorkflowLabelCounts: {
    label: ({ label }) => (label === '' ? null : label),
    maxSubmitted: ({ maxSubmitted }) => maxSubmitted ?? null,
    failureLimit: ({ failureLimit }) => failureLimit ?? null,
  },
  WorkflowLabelLayer: {
    label: ({ label }) => (label === '' ? null : label),
    dependents: ({ dependents }) => [...dependents],
  },
  WorkflowNode: node,
  WorkflowNodeConnection: connection,
  WorkflowSubgraph: { iterations: ({ iterations }) => [...iterations] },
  WorkflowNodeCounts: {
    total: (counts) => nodesIn(counts),
    waiting: ({ WAITING }) => WAITING,
    submitted: ({ SUBMITTED }) => SUBMITTED,
    succeeded: ({ SUCCEEDED }) => SUCCEEDED,
    failed: ({ FAILED }) => FAILED,
    skipped: ({ SKIPPED }) => SKIPPED,
    cancelled: ({ CANCELLED }) => CANCELLED,
  },
};

type InputOf<T> = { readonly input: T };

/** Access policies of the root fields. The service limits which workflows a caller sees and changes. */
export const workflowPolicies: Policies = {
  'Query.workflow': { action: 'task:read' },
  'Query.workflows': { action: 'task:read' },
  'Mutation.submitWorkflow': {
    action: 'task:submit',
    experiment: ({ args }) => (args as InputOf<{ experiment: string }>).input.experiment,
  },
  'Mutation.appendWorkflowNodes': { action: 'task:submit' },
  'Mutation.sealWorkflow': { action: 'task:submit' },
  'Mutation.pauseWorkflow': { action: 'job:hold' },
  'Mutation.resumeWorkflow': { action: 'job:hold' },
  'Mutation.cancelWorkflow': { action: 'job:cancel' },
  'Mutation.retryWorkflow': { action: 'job:retry' },
  'Mutation.markWorkflowNodes': { action: 'job:retry' },
  // The service checks that its worker holds the job.
  'Mutation.addWorkflowNodes': {
    own: {
      rule: 'nodes are added by the token of an attempt only',
      holds: ({ principal }) => principal.attempt !== undefined,
    },
    attempts: true,
  },
  'Mutation.cloneWorkflow': { action: 'task:submit' },
  'Workflow.__resolveReference': { action: 'task:read' },
  'Workflow.share': shareOfPolicy,
};
