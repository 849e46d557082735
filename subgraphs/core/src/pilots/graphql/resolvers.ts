/** Resolvers of pilots: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import type { KeysetPage } from '@rhizome/mongo';
import { connection, defineLoader } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import { experimentEntity } from '../../experiments/graphql/resolvers.js';
import { explanationCaller } from '../../jobs/graphql/job-loader.js';
import { pagesOrErrors } from '../../shared/pages-or-errors.js';
import type { Resolvers } from '../../types.generated.js';
import { workerEntity } from '../../workers/graphql/worker-loader.js';
import type { QueuePilots } from '../control/pilots.service.js';
import type { PilotDocument } from '../model/pilot.types.js';

/** Loads pilots of queues: the pages of all queues of a list are read together. */
const queuePilotsLoader = defineLoader<QueuePilots, KeysetPage<PilotDocument>, Context>({
  name: 'QueuePilots',
  cacheKey: ({ queueId, states, first, after }) => JSON.stringify([queueId, states, first, after]),
  load: (keys, { core }) => pagesOrErrors(keys, (requests) => core.pilots.pilots.pages(requests)),
});

/** Loads the ids of the newest workers of pilots. */
const pilotWorkerLoader = defineLoader<PilotDocument, string | undefined, Context>({
  name: 'PilotWorker',
  cacheKey: ({ _id }) => _id,
  load: (pilots, { core }) => core.pilots.pilots.workerIds(pilots),
});

/** Resolvers of this folder's SDL, and of `Queue.pilots`. */
export const pilotResolvers: Pick<
  Resolvers,
  'Query' | 'Mutation' | 'Queue' | 'Pilot' | 'PilotConnection' | 'PilotClassDemand'
> = {
  Query: {
    pilotDemand: (_parent, { input }, context) =>
      context.core.pilots.demand.demand(context.principal, input, explanationCaller(context)),
  },
  Mutation: {
    requestPilots: (_parent, { input }, { core, principal }) => core.pilots.pilots.request(principal, input),
    reportPilots: (_parent, { input }, { core, principal }) => core.pilots.pilots.report(principal, input),
  },
  Queue: {
    pilots: async (queue, { states, first, after }, { core, principal, loaders }: Context) => {
      if (!core.pilots.pilots.maySee(principal, queue)) return null;
      const { _id: queueId, name } = queue;
      const page = await loaders.load(queuePilotsLoader, { queueId, states, first: first ?? 20, after });
      if (page) return page;
      throw new Error(`pilots of queue ${name} were not read`);
    },
  },
  Pilot: {
    id: ({ _id }) => _id,
    experiment: ({ experiment }, _args, { loaders }) => loaders.load(experimentEntity.loader, experiment),
    experimentName: ({ experiment }) => experiment,
    worker: async (pilot, _args, { loaders }) => {
      const workerId = await loaders.load(pilotWorkerLoader, pilot);
      return workerId == null ? null : loaders.load(workerEntity.loader, workerId);
    },
    requestedAt: ({ createdAt }) => createdAt,
    changedAt: ({ updatedAt }) => updatedAt,
  },
  PilotConnection: connection,
  PilotClassDemand: {
    experiment: ({ experiment }, _args, { loaders }) => loaders.load(experimentEntity.loader, experiment),
    experimentName: ({ experiment }) => experiment,
  },
};

/** Access policies of the root fields. The services check who may act for the pilots of a queue. */
export const pilotPolicies: Policies = {
  'Query.pilotDemand': { action: 'pilot:request' },
  'Mutation.requestPilots': { action: 'pilot:request' },
  'Mutation.reportPilots': { action: 'pilot:request' },
};
