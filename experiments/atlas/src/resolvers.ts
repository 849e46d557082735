/** Resolvers of ATLAS: read the arguments, call the module, map the result. */
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { type DocumentChange, jobDetails, submissionEntity } from '@rhizome/experiment';
import { connection, representationAsIs } from '@rhizome/subgraph';
import { jobAt } from './chain.js';
import type { Context } from './context.js';
import { errors } from './errors.js';
import { checkProductionTask, stateOf, placementOf } from './production-task.js';
import { type ProductionTaskDocument, productionTasksCollection } from './production-task.document.js';
import type { Resolvers } from './types.generated.js';

const experiment = 'atlas';
const read = { action: 'task:read', experiment } as const;

const task = submissionEntity<ProductionTaskDocument, Context>({
  type: 'AtlasTask',
  collection: productionTasksCollection,
  submissions: ({ tasks }) => tasks,
  stored: {
    steps: ['transforms'],
    submittedAt: ['createdAt'],
    processedEvents: ['amounts'],
    state: ['taskId', 'finishedJobs', 'lostJobs', 'totalJobs'],
    task: ['taskId'],
  },
});

async function* changesOf(
  id: string,
  after: string | null | undefined,
  { tasks, signal }: Context,
): AsyncGenerator<DocumentChange, void, undefined> {
  if ((await tasks.find([id], { _id: 1 })).length === 0) {
    const text = `Production task ${JSON.stringify(id)} not found.`;
    throw new DomainError(errors.ATLAS_TASK_NOT_FOUND, text, { field: 'id', value: id });
  }
  yield* tasks.changes(id, after, signal);
}

/** Resolvers of the SDL. */
export const resolvers: Resolvers = {
  Query: { atlas: () => ({}) },
  AtlasQuery: {
    task: (_parent, { id }, context, info) => task.load(id, context, info),
    tasks: (_parent, { campaign, first, after }, { tasks }, info) =>
      tasks.page(campaign == null ? {} : { campaign }, first ?? 20, after, task.pageFields(info)),
  },
  Mutation: {
    submitAtlasTask: async (_parent, { input }, { tasks, principal }) => {
      const faults = checkProductionTask(input);
      if (faults.length > 0) return { task: null, userErrors: faults };
      const { idempotencyKey, ...content } = input;
      const result = await tasks.submit({ subject: principal.subject, idempotencyKey, content });
      return 'submission' in result
        ? { task: result.submission, userErrors: [] }
        : { task: null, userErrors: result.faults };
    },
  },
  Subscription: {
    atlasTaskChanged: {
      subscribe: (_parent, { id, after }, context) => changesOf(id, after, context),
      resolve: (change: unknown) => change as never,
    },
  },
  AtlasTaskChanged: { event: ({ id }: DocumentChange) => (id === null ? null : { id }) },
  AtlasTaskEvent: { task: ({ id }, _args, context, info) => task.existing(id, context, info) },
  AtlasTask: {
    __resolveReference: task.resolveReference,
    id: ({ _id }) => _id,
    steps: ({ transforms }) => transforms.map(({ step }) => step),
    submittedBy: ({ submittedBy }) => ({ subject: submittedBy }),
    submittedAt: ({ createdAt }) => createdAt,
    processedEvents: ({ amounts }) => amounts['processedEvents'] ?? 0,
    state: stateOf,
    task: ({ taskId }) => (taskId === undefined ? null : { id: taskId }),
  },
  AtlasTaskConnection: connection,
  Job: {
    __resolveReference: representationAsIs,
    atlas: jobDetails(read, ({ tasks }: Context) => tasks.jobPositions),
  },
  AtlasJob: {
    task: task.ofPlace,
    step: ({ submission, index }) => jobAt(submission, index).step,
    firstEvent: ({ submission, index }) => {
      const { step, firstEvent } = jobAt(submission, index);
      return step === 'MERGE' ? null : firstEvent;
    },
    events: ({ submission, index }) => jobAt(submission, index).events,
    placement: ({ submission }) => placementOf(submission),
  },
};

/** Policy of each entry point. */
export const policies: Policies = {
  'Query.atlas': read,
  'Mutation.submitAtlasTask': { action: 'task:submit', experiment },
  'Subscription.atlasTaskChanged': read,
  'AtlasTask.__resolveReference': read,
  // Jobs of all experiments are resolved here; the details field checks the experiment.
  'Job.__resolveReference': { action: 'job:read' },
};
