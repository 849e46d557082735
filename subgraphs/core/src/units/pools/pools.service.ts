/** Pools: creating, closing, listing. */
import type { Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { digestOf } from '@rhizome/digest';
import { badInput, type InputError, InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import { visibilityOf } from '../../shared/visibility.js';
import { manageable, maySeePool, type PoolCode } from './pool-access.js';
import { checkPool, type CreatePool, settingsOf } from './pool-input.js';
import type { PoolDocument, PoolState } from './pool.document.js';
import type { PoolFilter, PoolsRepository } from './pools.repository.js';
import {
  type BlockTotals,
  type HourRow,
  maxHourRows,
  type UnitGrouping,
  type UnitTotalsRepository,
} from './unit-totals.repository.js';

/** Dependencies of {@link PoolsService}. */
export interface PoolsOptions {
  readonly repository: PoolsRepository;
  readonly totals: Pick<UnitTotalsRepository, 'settledTotals' | 'hours' | 'used'>;
  readonly experimentExists: (name: string) => Promise<boolean>;
  /** Experiment of a task; null if the task does not exist. */
  readonly experimentOfTask: (taskId: string) => Promise<string | null>;
  /** Called with pools whose waiting calls should look again. */
  readonly onChanged: (poolIds: readonly string[]) => void;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Codes of `createWorkPool` in addition to INVALID_VALUE. */
export type CreatePoolCode = 'EXPERIMENT_NOT_FOUND' | 'TASK_NOT_FOUND' | 'POOL_NAME_TAKEN';

/** The pool, or the errors because of which the call was refused. */
export interface PoolResult<C extends string> {
  readonly pool: PoolDocument | null;
  readonly userErrors: readonly InputError<C>[];
}

/** Numbers of the units of a pool, with those that were removed since. */
export interface PoolTotals {
  /** State of the pool at the time of the numbers. */
  readonly state: PoolState;
  readonly waiting: number;
  readonly leased: number;
  readonly completed: number;
  readonly dead: number;
  readonly waitingBytes: number;
  readonly failures: number;
  readonly seconds: number;
  readonly waitingSince: Date | null;
}

const maxNamed = 1000;
/** Pools that metrics sum up: open ones, and as many with units. */
const maxSummed = 10_000;
const longestMs = 31 * 86_400_000;

/** Units that ended an attempt in a period. */
export interface EndedUnits {
  readonly filter?: PoolFilter | null | undefined;
  readonly groupBy: readonly UnitGrouping[];
  readonly since: Date;
  readonly until?: Date | null | undefined;
}

/** Sums over the pools of an experiment that are open or have units. */
export interface PoolSummary {
  readonly experiment: string;
  readonly waiting: number;
  readonly leased: number;
  readonly dead: number;
  /** Age of the oldest unit that waits. */
  readonly lagSeconds: number;
}

/** Pools of work units. */
export class PoolsService {
  readonly #options: PoolsOptions;

  constructor(options: PoolsOptions) {
    this.#options = options;
  }

  /** Creates a pool. A repeated call with the same input answers the pool. @throws DomainError FORBIDDEN */
  async create(principal: Principal, input: CreatePool): Promise<PoolResult<CreatePoolCode>> {
    const { repository, experimentExists, experimentOfTask } = this.#options;
    const errors = new InputErrors<CreatePoolCode>();
    checkPool(errors, input);
    if (errors.isEmpty && !(await experimentExists(input.experiment)))
      errors.add(['experiment'], input.experiment, 'a registered experiment', 'EXPERIMENT_NOT_FOUND');
    const { taskId } = input;
    if (errors.isEmpty && taskId != null && (await experimentOfTask(taskId)) !== input.experiment)
      errors.add(['taskId'], taskId, 'a task of the experiment', 'TASK_NOT_FOUND');
    if (!errors.isEmpty) return { pool: null, userErrors: errors.all };
    const pool = this.#newPool(principal, input);
    if (await repository.insert(pool)) return { pool, userErrors: [] };
    const known = await repository.named(pool.experiment, pool.name);
    if (known?.owner === pool.owner && known.digest === pool.digest) return { pool: known, userErrors: [] };
    errors.report(
      'POOL_NAME_TAKEN',
      ['name'],
      `name: "${pool.name}" is the name of another pool of the experiment; must be unique`,
    );
    return { pool: null, userErrors: errors.all };
  }

  #newPool({ subject }: Principal, input: CreatePool): PoolDocument {
    const { clock, ids } = this.#options;
    const { experiment, name, taskId, run } = input;
    const now = clock.now();
    const settings = settingsOf(input.settings);
    return {
      _id: ids.next('pool'),
      schemaVersion: 1,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      experiment,
      name,
      owner: subject,
      state: 'OPEN',
      ...(taskId == null ? {} : { taskId }),
      ...(run == null ? {} : { run }),
      settings,
      digest: digestOf({ experiment, name, taskId: taskId ?? null, run: run ?? null, settings }),
      blocks: 0,
      removed: { completed: 0, dead: 0, failures: 0, seconds: 0 },
    };
  }

  /** Closes a pool: nothing more is published. @throws DomainError FORBIDDEN */
  async close(principal: Principal, poolId: string): Promise<PoolResult<PoolCode>> {
    const { repository, clock, onChanged } = this.#options;
    const errors = new InputErrors<PoolCode>();
    const known = await repository.find(poolId);
    const pool = manageable(errors, principal, 'pool:close', known, poolId);
    if (!pool) return { pool: null, userErrors: errors.all };
    const closed = await repository.close(poolId, clock.now());
    onChanged([poolId]);
    return { pool: closed ?? (await repository.find(poolId)), userErrors: [] };
  }

  /** Pools by id, in the same order; null for those that the principal may not see. */
  async findMany(ids: readonly string[], principal: Principal): Promise<readonly (PoolDocument | null)[]> {
    const found = await this.#options.repository.findMany(ids);
    const visible = new Map(found.map((pool) => [pool._id, maySeePool(principal, pool) ? pool : null]));
    return ids.map((id) => visible.get(id) ?? null);
  }

  /** A page of pools that the principal may see, the newest first. */
  page(
    filter: PoolFilter | null | undefined,
    page: { readonly first: number; readonly after: string | null | undefined },
    principal: Principal,
  ): Promise<KeysetPage<PoolDocument>> {
    for (const [field, values] of Object.entries(filter ?? {}) as [string, readonly unknown[] | null][])
      if ((values?.length ?? 0) > maxNamed)
        throw badInput(`filter.${field}`, values?.length, `at most ${maxNamed} values`);
    return this.#options.repository.page(filter ?? {}, visibilityOf(principal, 'pool:read'), page);
  }

  /** Totals of pools, in the same order. */
  async totals(pools: readonly PoolDocument[]): Promise<readonly PoolTotals[]> {
    const read = await this.#options.totals.settledTotals(pools.map(({ _id }) => _id));
    const found = new Map(read.totals.map((totals) => [totals.poolId, totals]));
    const current = new Map(read.pools.map((pool) => [pool._id, pool]));
    return pools.map((pool) => totalsOf(current.get(pool._id) ?? pool, found.get(pool._id)));
  }

  /** Totals of one pool. */
  async totalsOf(pool: PoolDocument): Promise<PoolTotals> {
    const [totals] = await this.totals([pool]);
    return totals ?? totalsOf(pool, undefined);
  }

  /** Numbers of the units of pools in a period. @throws DomainError BAD_USER_INPUT */
  async ended(
    { filter, groupBy, since, until }: EndedUnits,
    principal: Principal,
  ): Promise<readonly HourRow[]> {
    const { repository, totals, clock } = this.#options;
    const to = until ?? clock.now();
    if (since >= to) throw badInput('since', since, 'before `until`');
    if (to.getTime() - since.getTime() > longestMs)
      throw badInput('since', since, 'at most 31 days before `until`');
    const pools = await repository.list(filter ?? {}, visibilityOf(principal, 'pool:read'), maxNamed + 1);
    if (pools.length > maxNamed)
      throw badInput('filter', `${maxNamed} pools or more`, 'conditions on fewer pools');
    const rows = await totals.hours(pools, since, to, groupBy);
    if (rows.length > maxHourRows)
      throw badInput(
        'groupBy',
        groupBy,
        `a key of at most ${maxHourRows} groups; group by less, or choose a shorter period`,
      );
    return rows;
  }

  /** Sums over the pools of each experiment that are open or have units, for metrics. */
  async summary(): Promise<readonly PoolSummary[]> {
    const { repository, totals: stored } = this.#options;
    const [open, used] = await Promise.all([repository.open(maxSummed), stored.used(maxSummed)]);
    const known = new Set(open.map(({ _id }) => _id));
    const closed = await repository.findMany(used.filter((id) => !known.has(id)));
    const pools = [...open, ...closed];
    const totals = await this.totals(pools);
    const byExperiment = new Map<
      string,
      { waiting: number; leased: number; dead: number; lagSeconds: number }
    >();
    for (const [at, { experiment }] of pools.entries()) {
      const one = totals[at];
      if (!one) continue;
      const sum = byExperiment.get(experiment) ?? { waiting: 0, leased: 0, dead: 0, lagSeconds: 0 };
      byExperiment.set(experiment, {
        waiting: sum.waiting + one.waiting,
        leased: sum.leased + one.leased,
        dead: sum.dead + one.dead,
        lagSeconds: Math.max(sum.lagSeconds, this.lagSeconds(one)),
      });
    }
    return [...byExperiment].map(([experiment, sum]) => ({ experiment, ...sum }));
  }

  /** Age of the oldest unit that waits, in seconds; 0 if none waits. */
  lagSeconds({ waitingSince }: Pick<PoolTotals, 'waitingSince'>): number {
    if (!waitingSince) return 0;
    return Math.max(0, (this.#options.clock.now().getTime() - waitingSince.getTime()) / 1000);
  }
}

function totalsOf({ state, removed }: PoolDocument, blocks: BlockTotals | undefined): PoolTotals {
  return {
    state,
    waiting: blocks?.waiting ?? 0,
    leased: blocks?.leased ?? 0,
    completed: (blocks?.completed ?? 0) + removed.completed,
    dead: (blocks?.dead ?? 0) + removed.dead,
    waitingBytes: blocks?.waitingBytes ?? 0,
    failures: (blocks?.failures ?? 0) + removed.failures,
    seconds: (blocks?.seconds ?? 0) + removed.seconds,
    waitingSince: blocks?.waitingSince ?? null,
  };
}
