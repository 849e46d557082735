import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import type { PoolDocument } from '../pools/pool.document.js';
import type { PoolTotals } from '../pools/pools.service.js';

/** Loads pools by id; null if the principal may not see it. */
export const poolLoader = defineLoader<string, PoolDocument, Context>({
  name: 'WorkPool',
  load: (ids, { core, principal }) => core.units.pools.findMany(ids, principal),
});

/** Loads the totals of pools, with one sum for all pools of an operation. */
export const totalsLoader = defineLoader<PoolDocument, PoolTotals, Context>({
  name: 'WorkPoolTotals',
  cacheKey: ({ _id }) => _id,
  load: (pools, { core }) => core.units.pools.totals(pools),
});
