/** Resolvers of the streams of work units: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import type { Resolvers } from '../../types.generated.js';
import { isCompletionOf, unitIdOf } from '../../units/blocks/unit-ids.js';
import { encodeCursor } from '../feed/cursor.js';
import { poolNotFound } from '../progress/pool-stream.js';
import { checkedInterval } from './interval.js';

const shortestIntervalMs = 1000;

type Types = 'WorkPoolChanged' | 'WorkUnitCompleted' | 'WorkUnitCompletedEvent' | 'CompletedWorkUnit';

export const unitStreamResolvers: Pick<Resolvers, Types> & {
  readonly Subscription: Pick<
    NonNullable<Resolvers['Subscription']>,
    'workPoolChanged' | 'workUnitCompleted'
  >;
} = {
  Subscription: {
    workPoolChanged: {
      subscribe: (_parent, { id, intervalMs }, { core, principal, signal }) => {
        const { pools } = core.units;
        const source = {
          id,
          find: async () => (await pools.findMany([id], principal))[0] ?? null,
          totals: (pool: Parameters<typeof pools.totalsOf>[0]) => pools.totalsOf(pool),
          lagSeconds: (totals: Parameters<typeof pools.lagSeconds>[0]) => pools.lagSeconds(totals),
        };
        return core.events.workPoolChanged(source, checkedInterval(intervalMs, shortestIntervalMs), signal);
      },
      resolve: (change: unknown) => change as never,
    },
    workUnitCompleted: {
      subscribe: (_parent, { poolId, after }, { core, principal, signal }) =>
        core.events.documents.parts({
          ...{ collection: 'unitCompletions', after, signal },
          isWanted: (id) => isCompletionOf(poolId, id),
          check: async () => {
            const [pool] = await core.units.pools.findMany([poolId], principal);
            if (!pool) throw poolNotFound(poolId);
          },
          read: (ids) => core.units.views.completions(ids),
        }),
      resolve: (change: unknown) => change as never,
    },
  },
  WorkPoolChanged: { cursor: ({ token }) => encodeCursor(token) },
  WorkUnitCompleted: {
    cursor: ({ token }) => encodeCursor(token),
    event: ({ document }) => document,
  },
  WorkUnitCompletedEvent: {
    site: ({ site: name }) => (name === undefined ? null : { name }),
    completedAt: ({ at }) => at,
    units: ({ units, blockId }) => units.map((unit) => ({ ...unit, blockId })),
  },
  CompletedWorkUnit: {
    id: ({ blockId, position }) => unitIdOf(blockId, position),
    result: ({ result }) => result ?? null,
  },
};

export const unitStreamPolicies: Policies = {
  'Subscription.workPoolChanged': { action: 'pool:read' },
  'Subscription.workUnitCompleted': { action: 'pool:read' },
};
