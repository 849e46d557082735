/** Resolvers of hardware views: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import { queueEntity } from '../../queues/graphql/resolvers.js';
import type { GpuVendor, Resolvers } from '../../types.generated.js';
import type { GpuHardware } from '../hardware-map.js';

/** GPUs of queues by queue id. */
const gpusOfQueue = defineLoader<string, readonly GpuHardware[], Context>({
  name: 'GpusOfQueue',
  load: (ids, { core, principal }) => core.fleet.hardware.gpusOfQueues(ids, principal),
});

export const hardwareResolvers: Pick<Resolvers, 'Query' | 'Queue' | 'GpuHardware' | 'SiteGpuHardware'> = {
  Query: {
    hardwareMap: (_parent, { filter, seenSince }, { core, principal }) =>
      core.fleet.hardware.map(filter ?? {}, seenSince ?? undefined, principal),
    hardwareExport: (_parent, { queues, sites }, { core, principal }) =>
      core.fleet.hardware.export({ queues, sites }, principal),
  },
  GpuHardware: {
    // Registration accepts only vendors of the enum.
    vendor: ({ vendor }) => vendor as GpuVendor,
  },
  SiteGpuHardware: {
    site: ({ site: name }) => ({ name }),
    queues: async ({ queues }, _args, { loaders }) => {
      const found = await Promise.all(queues.map((name) => loaders.load(queueEntity.loader, { name })));
      return found.filter((queue) => queue !== null);
    },
  },
  Queue: {
    gpuSummary: async ({ _id }, _args, { loaders }) => (await loaders.load(gpusOfQueue, _id)) ?? [],
  },
};

/** Access for callers that may see workers; the queues are checked one by one. */
export const hardwarePolicies: Policies = {
  'Query.hardwareMap': { action: 'worker:read' },
  'Query.hardwareExport': { action: 'worker:read' },
};
