/** Resolvers of Rubin: read the arguments, call the module, map the result. */
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { type DocumentChange, jobDetails, submissionEntity } from '@rhizome/experiment';
import { positionsPage } from '@rhizome/mongo';
import { byKey, connection, defineLoader, representationAsIs } from '@rhizome/subgraph';
import type { Context } from './context.js';
import { errors } from './errors.js';
import type { Resolvers } from './types.generated.js';
import { checkWorkflow, placementOf } from './workflow.js';
import {
  type QuantumDocument,
  quantumId,
  type WorkflowDocument,
  workflowsCollection,
} from './workflow.document.js';

const experiment = 'rubin';
const maxQuantaAtOnce = 1000;
const read = { action: 'task:read', experiment } as const;

const workflow = submissionEntity<WorkflowDocument, Context>({
  type: 'RubinWorkflow',
  collection: workflowsCollection,
  submissions: ({ workflows }) => workflows,
  stored: {
    totalQuanta: ['totalJobs'],
    quanta: ['totalJobs'],
    finishedQuanta: ['finishedJobs'],
    submittedAt: ['createdAt'],
    task: ['taskId'],
  },
});

const quantumLoader = defineLoader<string, QuantumDocument, Context>({
  name: 'RubinQuantum',
  load: async (ids, { quanta }) => byKey(ids, await quanta.find(ids), ({ _id }) => _id),
});

async function* changesOf(
  id: string,
  after: string | null | undefined,
  { workflows, signal }: Context,
): AsyncGenerator<DocumentChange, void, undefined> {
  if ((await workflows.find([id], { _id: 1 })).length === 0) {
    const text = `Workflow ${JSON.stringify(id)} not found.`;
    throw new DomainError(errors.RUBIN_WORKFLOW_NOT_FOUND, text, { field: 'id', value: id });
  }
  yield* workflows.changes(id, after, signal);
}

async function quantumAt(
  { _id }: Pick<WorkflowDocument, '_id'>,
  index: number,
  { loaders }: Context,
): Promise<QuantumDocument> {
  const quantum = await loaders.load(quantumLoader, quantumId(_id, index));
  if (quantum) return quantum;
  throw new Error(`workflow ${_id} has no quantum at ${index}`);
}

/** Resolvers of the SDL. */
export const resolvers: Resolvers = {
  Query: { rubin: () => ({}) },
  RubinQuery: {
    workflow: (_parent, { id }, context, info) => workflow.load(id, context, info),
    workflows: (_parent, { first, after }, { workflows }, info) =>
      workflows.page({}, first ?? 20, after, workflow.pageFields(info)),
  },
  Mutation: {
    submitRubinWorkflow: async (_parent, { input }, { workflows, principal }) => {
      const faults = checkWorkflow(input);
      if (faults.length > 0) return { workflow: null, userErrors: faults };
      const { idempotencyKey, ...content } = input;
      const result = await workflows.submit({ subject: principal.subject, idempotencyKey, content });
      return 'submission' in result
        ? { workflow: result.submission, userErrors: [] }
        : { workflow: null, userErrors: result.faults };
    },
  },
  Subscription: {
    rubinWorkflowChanged: {
      subscribe: (_parent, { id, after }, context) => changesOf(id, after, context),
      resolve: (change: unknown) => change as never,
    },
  },
  RubinWorkflowChanged: { event: ({ id }: DocumentChange) => (id === null ? null : { id }) },
  RubinWorkflowEvent: { workflow: ({ id }, _args, context, info) => workflow.existing(id, context, info) },
  RubinWorkflow: {
    __resolveReference: workflow.resolveReference,
    id: ({ _id }) => _id,
    totalQuanta: ({ totalJobs }) => totalJobs,
    quanta: ({ _id, totalJobs }, { first, after }, { quanta }) =>
      positionsPage(
        { totalCount: totalJobs, first: first ?? 100, after, maxFirst: maxQuantaAtOnce },
        (from, count) => quanta.range(_id, from, count),
      ),
    finishedQuanta: ({ finishedJobs }) => finishedJobs,
    submittedBy: ({ submittedBy }) => ({ subject: submittedBy }),
    submittedAt: ({ createdAt }) => createdAt,
    task: ({ taskId }) => (taskId === undefined ? null : { id: taskId }),
  },
  RubinWorkflowConnection: connection,
  RubinQuantumConnection: connection,
  Job: {
    __resolveReference: representationAsIs,
    rubin: jobDetails(read, ({ workflows }: Context) => workflows.jobPositions),
  },
  RubinJob: {
    workflow: workflow.ofPlace,
    quantum: ({ submission, index }, _args, context) => quantumAt(submission, index, context),
    placement: ({ submission }) => placementOf(submission),
  },
};

/** Policy of each entry point. */
export const policies: Policies = {
  'Query.rubin': read,
  'Mutation.submitRubinWorkflow': { action: 'task:submit', experiment },
  'Subscription.rubinWorkflowChanged': read,
  'RubinWorkflow.__resolveReference': read,
  // Jobs of all experiments are resolved here; the details field checks the experiment.
  'Job.__resolveReference': { action: 'job:read' },
};
