/** Resolvers of work units: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { connection } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import { experimentNamed } from '../../jobs/graphql/experiment-of.js';
import { taskOfJob } from '../../tasks/graphql/task-loader.js';
import type { Resolvers } from '../../types.generated.js';
import type { PoolDocument } from '../pools/pool.document.js';
import type { PoolTotals } from '../pools/pools.service.js';
import { poolLoader, totalsLoader } from './pool-loader.js';

type Types =
  | 'Query'
  | 'Mutation'
  | 'WorkPool'
  | 'WorkPoolConnection'
  | 'WorkPoolSettings'
  | 'WorkUnit'
  | 'WorkUnitAssignment'
  | 'WorkUnitCompletion'
  | 'WorkUnitConnection'
  | 'WorkUnitCounts'
  | 'WorkUnitError'
  | 'WorkUnitLease'
  | 'WorkUnitTotal';

async function totalsOf(pool: PoolDocument, { loaders }: Context): Promise<PoolTotals> {
  const totals = await loaders.load(totalsLoader, pool);
  if (totals) return totals;
  throw new Error(`the totals of ${pool._id} were not read`);
}

const workPool: NonNullable<Resolvers['WorkPool']> = {
  id: ({ _id }) => _id,
  experiment: ({ experiment }, _args, context) => experimentNamed(experiment, context),
  owner: ({ owner: subject }) => ({ subject }),
  task: taskOfJob as NonNullable<Resolvers['WorkPool']>['task'],
  taskId: ({ taskId }) => taskId ?? null,
  run: ({ run }) => run ?? null,
  closedAt: ({ closedAt }) => closedAt ?? null,
  counts: (pool, _args, context) => totalsOf(pool, context),
  lagSeconds: async (pool, _args, context) =>
    context.core.units.pools.lagSeconds(await totalsOf(pool, context)),
  deadUnits: async (pool, { first, after }, { core }) => ({
    ...(await core.units.views.dead(pool, { first: first ?? 50, after })),
    pool,
  }),
};

const workUnit: NonNullable<Resolvers['WorkUnit']> = {
  key: ({ unit }) => unit.key,
  orderingKey: ({ unit }) => unit.orderingKey ?? null,
  size: ({ unit }) => unit.size ?? null,
  payload: async (unit, _args, { core }) => (await core.units.views.payloadOf(unit)).payload ?? null,
  reference: async (unit, _args, { core }) => (await core.units.views.payloadOf(unit)).reference ?? null,
  deadline: ({ unit }) => unit.deadline ?? null,
  state: ({ unit }) => unit.state,
  attempts: ({ unit }) => unit.attempts,
  lease: ({ unit }) => unit.lease ?? null,
  error: ({ unit }) => unit.error ?? null,
  completion: (of) => (of.unit.end ? { ...of.unit.end, of } : null),
};

/** Resolvers of this folder's SDL. */
export const unitResolvers: Pick<Resolvers, Types> = {
  Query: {
    workPool: (_parent, { id }, { loaders }) => loaders.load(poolLoader, id),
    workPools: (_parent, { filter, first, after }, { core, principal }) =>
      core.units.pools.page(filter, { first: first ?? 20, after }, principal),
    workUnitTotals: (_parent, { filter, groupBy, since, until }, { core, principal }) =>
      core.units.pools.ended({ filter, groupBy: groupBy ?? [], since, until }, principal),
    workUnit: (_parent, { id }, { core, principal }) => core.units.views.find(principal, id),
  },
  Mutation: {
    createWorkPool: (_parent, { input }, { core, principal }) => core.units.pools.create(principal, input),
    publishWorkUnits: (_parent, { input }, { core, principal }) =>
      core.units.publish.publish(principal, input),
    closeWorkPool: (_parent, { input }, { core, principal }) =>
      core.units.pools.close(principal, input.poolId),
    resubmitWorkUnits: (_parent, { input }, { core, principal }) =>
      core.units.views.resubmit(principal, input),
    leaseWorkUnits: (_parent, { input }, { core, principal, signal }) =>
      core.units.reports.lease({ principal, signal }, input),
    completeWorkUnits: (_parent, { input }, { core, principal }) =>
      core.units.reports.complete(principal, input.units),
    failWorkUnits: (_parent, { input }, { core, principal }) =>
      core.units.reports.fail(principal, input.units),
    extendWorkUnits: (_parent, { input }, { core, principal }) =>
      core.units.reports.extend(principal, input.units),
  },
  WorkPool: workPool,
  WorkPoolConnection: connection,
  WorkPoolSettings: {
    maxWaitingMiB: ({ maxWaitingBytes }) => maxWaitingBytes / 1_048_576,
    maxLeasedPerJob: ({ maxLeasedPerJob }) => maxLeasedPerJob ?? null,
  },
  WorkUnit: workUnit,
  WorkUnitAssignment: {
    fence: ({ unit }) => unit.fence,
    attempt: ({ unit }) => unit.attempts,
    key: ({ unit }) => unit.key,
    orderingKey: ({ unit }) => unit.orderingKey ?? null,
    size: ({ unit }) => unit.size ?? null,
    payload: ({ payload }) => payload ?? null,
    reference: ({ reference }) => reference ?? null,
    deadline: ({ unit }) => unit.deadline ?? null,
    expiresAt: ({ unit: { lease } }) => {
      if (lease) return lease.until;
      throw new TypeError('A leased unit has no lease');
    },
  },
  WorkUnitCompletion: {
    site: ({ site: name }) => (name === undefined ? null : { name }),
    completedAt: ({ at }) => at,
    result: ({ of }, _args, { core }) => core.units.views.resultOf(of),
  },
  WorkUnitConnection: {
    // Those whose records were removed are counted, but not listed.
    totalCount: async ({ pool }, _args, context) => (await totalsOf(pool, context)).dead - pool.removed.dead,
  },
  WorkUnitCounts: {
    failedAttempts: ({ failures }) => failures,
    completedSeconds: ({ seconds }) => seconds,
  },
  WorkUnitError: {
    message: ({ message }) => message ?? null,
    failedAt: ({ at }) => at,
    jobId: ({ jobId }) => jobId ?? null,
  },
  WorkUnitTotal: {
    site: ({ site: name }) => (name === null ? null : { name }),
    failedAttempts: ({ failures }) => failures,
    completedSeconds: ({ seconds }) => seconds,
  },
  WorkUnitLease: {
    leasedAt: ({ at }) => at,
    expiresAt: ({ until }) => until,
  },
};

type InputOf<T> = { readonly input: T };

/** Only the token of an attempt works on units: the service checks that its worker holds the job. */
const ofAttempts = {
  own: {
    rule: 'units are leased and reported by the token of an attempt only',
    holds: ({ principal }: { readonly principal: { readonly attempt?: unknown } }) =>
      principal.attempt !== undefined,
  },
  attempts: true,
} as const;

/** Access policies of the root fields. The experiment of a pool is known only after it is read. */
export const unitPolicies: Policies = {
  'Query.workPool': { action: 'pool:read' },
  'Query.workPools': { action: 'pool:read' },
  'Query.workUnit': { action: 'pool:read' },
  'Query.workUnitTotals': { action: 'pool:read' },
  'Mutation.createWorkPool': {
    action: 'pool:publish',
    experiment: ({ args }) => (args as InputOf<{ experiment: string }>).input.experiment,
  },
  'Mutation.publishWorkUnits': { action: 'pool:publish' },
  'Mutation.closeWorkPool': { action: 'pool:close' },
  'Mutation.resubmitWorkUnits': { action: 'pool:publish' },
  'Mutation.leaseWorkUnits': ofAttempts,
  'Mutation.completeWorkUnits': ofAttempts,
  'Mutation.failWorkUnits': ofAttempts,
  'Mutation.extendWorkUnits': ofAttempts,
};
