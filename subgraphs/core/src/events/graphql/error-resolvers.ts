/** Resolvers of failures: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { experimentEntity } from '../../experiments/graphql/resolvers.js';
import { experimentNamed } from '../../jobs/graphql/experiment-of.js';
import { loadJob } from '../../jobs/graphql/job-loader.js';
import { queueEntity } from '../../queues/graphql/resolvers.js';
import { taskLoader } from '../../tasks/graphql/task-loader.js';
import type { Resolvers } from '../../types.generated.js';

const defaultRows = 50;

const hours = {
  coreHours: ({ coreSeconds }: { readonly coreSeconds: number }) => hoursOf(coreSeconds),
  gpuHours: ({ gpuSeconds }: { readonly gpuSeconds: number }) => hoursOf(gpuSeconds),
};

export const errorResolvers: Pick<
  Resolvers,
  'ErrorSummary' | 'ErrorGroup' | 'ErrorTotal' | 'WasteByReason'
> & {
  readonly Query: Pick<NonNullable<Resolvers['Query']>, 'errorSummary'>;
} = {
  Query: {
    errorSummary: (_parent, { filter, by }, { core, principal }) => core.errors.ask(principal, filter, by),
  },
  ErrorSummary: {
    countedSince: async (summary) => (await summary.history())?.createdAt ?? null,
    gaps: async (summary) => (await summary.history())?.gaps ?? [],
    count: async (summary) => (await summary.sums()).count,
    coreHours: async (summary) => hoursOf((await summary.sums()).coreSeconds),
    gpuHours: async (summary) => hoursOf((await summary.sums()).gpuSeconds),
    groups: (summary, { limit }) => summary.groups(limit ?? defaultRows),
    waste: (summary) => summary.waste(),
    newErrors: (summary, { limit }) => summary.totals('NEW', limit ?? defaultRows),
    totals: (summary, { limit }) => summary.totals('ALL', limit ?? defaultRows),
  },
  ErrorGroup: {
    experiment: ({ experiment: name }, _args, { loaders }) =>
      name === null ? null : loaders.load(experimentEntity.loader, name),
    task: ({ taskId }, _args, { loaders }) => (taskId === null ? null : loaders.load(taskLoader, taskId)),
    queue: ({ queue: name }, _args, { loaders }) =>
      name === null ? null : loaders.load(queueEntity.loader, { name }),
    site: ({ site }) => siteOf(site),
    experimentName: ({ experiment }) => experiment,
    queueName: ({ queue }) => queue,
    ...hours,
    // A job that the caller may no longer read is left out.
    sampleJobs: async ({ jobs }, _args, context, info) => {
      const found = await Promise.all(jobs.map((id) => loadJob(id, context, info)));
      return found.filter((job) => job !== null);
    },
  },
  ErrorTotal: {
    experiment: ({ experiment }, _args, context) => experimentNamed(experiment, context),
    experimentName: ({ experiment }) => experiment,
    site: ({ site }) => siteOf(site),
    ...hours,
  },
  WasteByReason: hours,
};

function siteOf(name: string | null): { readonly name: string } | null {
  return name === null ? null : { name };
}

/** Hours with the precision of a second. */
function hoursOf(seconds: number): number {
  return Math.round((seconds / 3600) * 10_000) / 10_000;
}

export const errorPolicies: Policies = {
  // The service limits the answer to the experiments whose jobs the caller may read.
  'Query.errorSummary': { action: 'job:read' },
};
