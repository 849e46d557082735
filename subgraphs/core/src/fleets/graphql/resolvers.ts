/** Resolvers of fleets: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { connection, reference } from '@rhizome/subgraph';
import { experimentNamed } from '../../jobs/graphql/experiment-of.js';
import { queueEntity } from '../../queues/graphql/resolvers.js';
import { shareOf, shareOfPolicy } from '../../shares/graphql/resolvers.js';
import type { Resolvers } from '../../types.generated.js';
import { poolLoader } from '../../units/graphql/pool-loader.js';
import type { FleetQueue } from '../model/fleet.types.js';
import { fleetLoader } from './fleet-loader.js';

type Types =
  | 'Query'
  | 'Mutation'
  | 'Fleet'
  | 'FleetConnection'
  | 'FleetDecision'
  | 'FleetDecisionConnection'
  | 'FleetPrewarm'
  | 'FleetQueueLimit'
  | 'FleetSettings';

const fleet: NonNullable<Resolvers['Fleet']> = {
  id: ({ _id }) => _id,
  experiment: ({ experiment }, _args, context) => experimentNamed(experiment, context),
  pool: async ({ poolId }, _args, { loaders }) => {
    const pool = await loaders.load(poolLoader, poolId);
    if (pool) return pool;
    throw new DomainError('POOL_NOT_FOUND', `Pool "${poolId}" not found.`, { value: poolId });
  },
  owner: ({ owner: subject }) => ({ subject }),
  share: shareOf,
  sharePath: ({ share }) => share,
  targetJobs: ({ target }) => target,
  jobCounts: (of, _args, { core }) => core.fleets.fleets.jobCounts(of),
  jobVersion: ({ template }) => template.version,
  command: ({ template }) => template.payload.command,
  image: ({ template }) => template.payload.image ?? null,
  prewarm: ({ prewarm }) => prewarm ?? null,
  latestDecision: ({ latest }) => latest ?? null,
  decisions: (of, { first, after }, { core }) =>
    core.fleets.fleets.decisions(of, { first: first ?? 20, after }),
  endedAt: ({ endedAt }) => endedAt ?? null,
};

/** Resolvers of this folder's SDL. */
export const fleetResolvers: Pick<Resolvers, Types> = {
  Query: {
    fleet: (_parent, { id }, { loaders }) => loaders.load(fleetLoader, id),
    fleets: (_parent, { filter, first, after }, { core, principal }) =>
      core.fleets.fleets.page(filter, { first: first ?? 20, after }, principal),
  },
  Mutation: {
    createFleet: (_parent, { input }, { core, principal }) => core.fleets.fleets.create(principal, input),
    updateFleet: (_parent, { input }, { core, principal }) => core.fleets.commands.update(principal, input),
    pauseFleet: (_parent, { input }, { core, principal }) => core.fleets.commands.pause(principal, input),
    resumeFleet: (_parent, { input }, { core, principal }) => core.fleets.commands.resume(principal, input),
    prewarmFleet: (_parent, { input }, { core, principal }) => core.fleets.commands.prewarm(principal, input),
    drainFleet: (_parent, { input }, { core, principal }) => core.fleets.commands.drain(principal, input),
  },
  Fleet: fleet,
  FleetConnection: connection,
  FleetDecision: {
    decidedAt: ({ at }) => at,
    decidedBy: ({ by: subject }) => ({ subject }),
    targetJobs: ({ target }) => target,
    previousTargetJobs: ({ previousTarget }) => previousTarget,
    waitingUnits: ({ waiting }) => waiting ?? null,
    lagSeconds: ({ lagSeconds }) => lagSeconds ?? null,
    startedJobs: ({ started }) => started,
    releasedJobs: ({ released }) => released,
    cancelledJobs: ({ cancelled }) => cancelled,
  },
  FleetDecisionConnection: connection,
  FleetPrewarm: { by: ({ by: subject }) => ({ subject }) },
  FleetQueueLimit: {
    queue: reference({ loader: queueEntity.loader, key: ({ queue: name }: FleetQueue) => ({ name }) }),
    queueName: ({ queue }) => queue,
  },
  FleetSettings: { queues: ({ queues }) => [...queues] },
};

/** Access policies of the root fields. The service limits which fleets a caller sees and changes. */
export const fleetPolicies: Policies = {
  'Query.fleet': { action: 'pool:read' },
  'Query.fleets': { action: 'pool:read' },
  'Mutation.createFleet': { action: 'job:submit' },
  'Mutation.updateFleet': { action: 'job:submit' },
  'Mutation.pauseFleet': { action: 'job:hold' },
  'Mutation.resumeFleet': { action: 'job:hold' },
  'Mutation.prewarmFleet': { action: 'job:submit' },
  'Mutation.drainFleet': { action: 'job:cancel' },
  'Fleet.share': shareOfPolicy,
};
