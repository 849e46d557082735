/** Resolvers of tasks: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { connection } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import { datasetLoader } from '../../datasets/graphql/dataset-loader.js';
import { experimentNamed } from '../../jobs/graphql/experiment-of.js';
import { jobProjection } from '../../jobs/graphql/job-fields.js';
import { loadJobs } from '../../jobs/graphql/job-loader.js';
import { jobStates } from '../../jobs/model/job-state.js';
import type { StateCounts } from '../../jobs/ports.js';
import { plural } from '../../shared/plural.js';
import { shareOf, shareOfPolicy } from '../../shares/graphql/resolvers.js';
import type { Resolvers } from '../../types.generated.js';
import type { TaskFacts } from '../task.document.js';
import { progressLoader, taskJobsLoader, taskLoader } from './task-loader.js';
import { fractionsOf } from '../tasks.service.js';

/** Resolvers of this folder's SDL. */
export const taskResolvers: Pick<
  Resolvers,
  | 'AwaitedFiles'
  | 'Query'
  | 'Mutation'
  | 'Task'
  | 'TaskCommand'
  | 'TaskCommandEffect'
  | 'TaskConnection'
  | 'TaskDataset'
  | 'TaskProgress'
> = {
  Query: {
    task: (_parent, { id }, { loaders }) => loaders.load(taskLoader, id),
    tasks: (_parent, { filter, first, after }, { core, principal }) =>
      core.tasks.page(principal, filter, { first: first ?? 20, after }),
  },
  Mutation: {
    submitTask: async (_parent, { input: { jobs, ...spec } }, { core, principal }) => {
      const result = await core.tasks.submit(principal, { ...spec, ...jobs });
      return 'task' in result
        ? { task: result.task, userErrors: [] }
        : { task: null, userErrors: result.refusals };
    },
    pauseTask: (_parent, { input }, { core, principal }) => core.taskCommands.run(principal, 'PAUSE', input),
    resumeTask: (_parent, { input }, { core, principal }) =>
      core.taskCommands.run(principal, 'RESUME', input),
    finishTask: (_parent, { input }, { core, principal }) =>
      core.taskCommands.run(principal, 'FINISH', input),
    abortTask: (_parent, { input }, { core, principal }) => core.taskCommands.run(principal, 'ABORT', input),
  },
  Task: {
    __resolveReference: (representation, { loaders }) => loaders.load(taskLoader, String(representation.id)),
    id: ({ _id }) => _id,
    experiment: ({ experiment }, _args, context) => experimentNamed(experiment, context),
    owner: ({ owner: subject }) => ({ subject }),
    submittedBy: ({ submittedBy, owner }) => ({ subject: submittedBy ?? owner }),
    share: shareOf,
    sharePath: ({ share }) => share,
    commands: ({ commands }) => commands ?? [],
    progress: async (task, _args, { loaders }) => {
      const progress = await loaders.load(progressLoader, task);
      if (progress) return progress;
      throw new DomainError('TASK_NOT_FOUND', `Task "${task._id}" not found.`, {
        value: task._id,
      });
    },
    jobs: async ({ _id: taskId }, { states, first, after }, { loaders }: Context, info) => {
      const projection = jobProjection(info, ['nodes'], ['edges', 'node']);
      const key = { taskId, states, order: 'OLDEST' as const, first: first ?? 20, after, projection };
      const page = await loaders.load(taskJobsLoader, key);
      if (page) return page;
      throw new Error(`the jobs of ${taskId} were not read`);
    },
  },
  TaskCommand: { by: ({ by: subject }) => ({ subject }) },
  TaskCommandEffect: {
    counts: ({ states }) => countsOf(states),
    jobs: ({ jobIds }, _args, context, info) => loadJobs(jobIds, context, info),
  },
  TaskConnection: connection,
  TaskDataset: {
    dataset: ({ datasetId }, _args, { loaders }) => loaders.load(datasetLoader, datasetId),
    perJob: ({ perJob }) => perJob ?? null,
    fileCount: ({ files }) => files,
    localityWeight: ({ localityWeight }) => localityWeight ?? 0,
    awaited: ({ awaited, gaps = [] }) => (awaited ? { ...awaited, others: gaps.length - 1 } : null),
  },
  AwaitedFiles: {
    taskIndex: ({ index }) => index,
    fileCount: ({ files }) => files,
    unavailableCount: ({ unavailable }) => unavailable,
    summary: ({ index, files, unavailable, others }) =>
      `${unavailable} of ${plural(files, 'input')} of job ${index} ${unavailable === 1 ? 'is' : 'are'} not available yet` +
      (others > 0 ? `; ${plural(others, 'other job')} ${others === 1 ? 'waits' : 'wait'}, too` : ''),
  },
  TaskProgress: {
    counts: ({ states }) => countsOf(states),
    finishedFraction: (progress) => fractionsOf(progress).finished,
    endedFraction: (progress) => fractionsOf(progress).ended,
  },
};

function countsOf(states: StateCounts) {
  return jobStates.flatMap((state) => (states[state] ? [{ state, count: states[state] }] : []));
}

/** Access policies of the root fields of tasks. The service limits which tasks a caller sees. */
export const taskPolicies: Policies = {
  'Query.task': { action: 'task:read' },
  'Query.tasks': { action: 'task:read' },
  'Mutation.submitTask': {
    action: 'task:submit',
    experiment: ({ args }) => (args as { input: { experiment: string } }).input.experiment,
  },
  'Mutation.pauseTask': { action: 'job:hold' },
  'Mutation.resumeTask': { action: 'job:hold' },
  'Mutation.finishTask': { action: 'job:cancel' },
  'Mutation.abortTask': { action: 'job:cancel' },
  'Task.__resolveReference': { action: 'task:read' },
  'Task.share': shareOfPolicy,
  'Task.jobs': { action: 'job:read', experiment: ({ parent }) => (parent as TaskFacts).experiment },
};
