/** Resolvers of canary jobs: unpack, call, map. */
import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import { experimentNamed } from '../../jobs/graphql/experiment-of.js';
import { jobReference } from '../../jobs/graphql/job-loader.js';
import type { Resolvers } from '../../types.generated.js';
import type { QueueHealth } from '../../workers/canaries/canary-plan.js';
import type { CanaryResult } from '../../workers/canaries/canary.document.js';

const healthByQueue = defineLoader<string, QueueHealth, Context>({
  name: 'QueueHealth',
  load: (ids, { core }) => core.queueHealth(ids),
});

export const canaryResolvers: Pick<Resolvers, 'Queue' | 'QueueCanary' | 'CanaryResult'> = {
  Queue: {
    canary: ({ canary }) => canary ?? null,
    health: ({ _id }, _args, { loaders }) => loaders.load(healthByQueue, _id),
  },
  QueueCanary: {
    experiment: ({ experiment }, _args, context) => experimentNamed(experiment, context),
    sharePath: ({ share }) => share,
  },
  CanaryResult: {
    job: jobReference<CanaryResult>(({ jobId }) => jobId),
    hostName: ({ host }) => host ?? null,
    errorCode: ({ code }) => code ?? null,
  },
};
