/** Publishes units: each key once, and no more than the pool may hold. */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { type InputError, InputErrors } from '@rhizome/errors';
import { sleep, TurnsByKey } from '@rhizome/retry';
import { retention } from '../../shared/retention.js';
import { unitBytes } from '../blocks/unit-payload.document.js';
import { manageable, type PoolCode } from '../pools/pool-access.js';
import type { PoolDocument } from '../pools/pool.document.js';
import type { PoolsRepository } from '../pools/pools.repository.js';
import type { BlockTotals } from '../pools/unit-totals.repository.js';
import { groupsOf, newBlocks } from './new-blocks.js';
import { checkUnits, type PublishedUnit, type PublishUnits } from './publish-input.js';
import type { PublishRepository } from './publish.repository.js';

/** Codes of `publishWorkUnits` in addition to INVALID_VALUE. */
export type PublishCode = PoolCode | 'POOL_CLOSED' | 'POOL_FULL';

/** Ids of the units, or the errors because of which none was published. */
export interface PublishResult {
  /** In the order of the input. */
  readonly unitIds: readonly string[];
  /** Units that were published before with the same key. */
  readonly repeatedCount: number;
  /** Time after which a full pool may have space again. */
  readonly retryAfterSeconds: number | null;
  readonly userErrors: readonly InputError<PublishCode>[];
}

/** Dependencies of {@link PublishService}. */
export interface PublishOptions {
  readonly pools: Pick<PoolsRepository, 'find'>;
  readonly repository: PublishRepository;
  /** Called with pools that have new units. */
  readonly onChanged: (poolIds: readonly string[]) => void;
  readonly clock: Clock;
}

type WaitingTotals = Pick<BlockTotals, 'waiting' | 'waitingBytes'>;

const none: WaitingTotals = { waiting: 0, waitingBytes: 0 };
/** Attempts of a publication whose keys others publish at the same time. */
const maxTries = 10;
/** Pause before the second attempt, in milliseconds: keys of others are read once they are durable. */
const pauseMs = 20;
/** Pause after which publishers to a full pool should try again, in seconds. */
const retryAfterSeconds = 5;

/** Publishes work units. */
export class PublishService {
  readonly #options: PublishOptions;
  /** Publications by pool: those of one process do not compete. */
  readonly #turns = new TurnsByKey();

  constructor(options: PublishOptions) {
    this.#options = options;
  }

  /** Publishes units, all or none. @throws DomainError FORBIDDEN */
  async publish(principal: Principal, { poolId, units }: PublishUnits): Promise<PublishResult> {
    const { pools, clock } = this.#options;
    const errors = new InputErrors<PublishCode>();
    const pool = manageable(errors, principal, 'pool:publish', await pools.find(poolId), poolId);
    if (pool) checkUnits(errors, units, clock.now());
    if (!pool || !errors.isEmpty) return refused(errors);
    return this.#turns.run(poolId, () => this.#publish(pool, units));
  }

  async #publish(pool: PoolDocument, units: readonly PublishedUnit[]): Promise<PublishResult> {
    const { repository, onChanged, clock } = this.#options;
    const keys = [...new Set(units.map(({ key }) => key))];
    for (let tries = 0; tries < maxTries; tries++) {
      const known = await repository.known(pool._id, keys);
      const fresh = firstOfEachKey(units, known);
      if (fresh.length === 0) return answer(units, [known]);
      const groups = groupsOf(fresh);
      const now = clock.now();
      const seen: { totals?: WaitingTotals | undefined } = {};
      const { outcome, made } = await repository.publish({
        poolId: pool._id,
        blockCount: groups.length,
        make: (first) => newBlocks(pool, groups, first, now),
        fits: (totals) => {
          seen.totals = totals;
          return hasSpace(pool, totals, fresh);
        },
        keysUntil: new Date(now.getTime() + retention.unitKey * 1000),
        now,
      });
      if (made) {
        onChanged([pool._id]);
        return answer(units, [known, made.unitIds]);
      }
      if (outcome === 'repeated') {
        await sleep(pauseMs * (tries + 1));
        continue;
      }
      return outcome === 'full' ? refusedAsFull(pool, seen.totals, fresh) : refusedAsClosed(pool);
    }
    throw new Error(`keys of pool ${pool._id} were published by others ${maxTries} times`);
  }
}

/** Units whose key is new, each key once. */
function firstOfEachKey(
  units: readonly PublishedUnit[],
  known: ReadonlyMap<string, string>,
): readonly PublishedUnit[] {
  const seen = new Set<string>();
  return units.filter(({ key }) => {
    const isFirst = !known.has(key) && !seen.has(key);
    seen.add(key);
    return isFirst;
  });
}

function hasSpace(
  { settings: { maxWaitingUnits, maxWaitingBytes } }: Pick<PoolDocument, 'settings'>,
  { waiting, waitingBytes }: WaitingTotals = none,
  fresh: readonly PublishedUnit[],
): boolean {
  return waiting + fresh.length <= maxWaitingUnits && waitingBytes + sumOf(fresh) <= maxWaitingBytes;
}

function sumOf(units: readonly PublishedUnit[]): number {
  return units.reduce((sum, unit) => sum + unitBytes(unit), 0);
}

function refusedAsClosed({ name }: PoolDocument): PublishResult {
  const errors = new InputErrors<PublishCode>();
  errors.report('POOL_CLOSED', ['poolId'], `poolId: Pool "${name}" is closed; publish to an open pool`);
  return refused(errors);
}

/** Refuses units; advises another attempt only if an empty pool could hold them. */
export function refusedAsFull(
  { name, settings }: Pick<PoolDocument, 'name' | 'settings'>,
  { waiting, waitingBytes }: WaitingTotals = none,
  fresh: readonly PublishedUnit[],
): PublishResult {
  const errors = new InputErrors<PublishCode>();
  const { maxWaitingUnits, maxWaitingBytes } = settings;
  const mayFit = hasSpace({ settings }, none, fresh);
  const parts = [
    `poolId: Pool "${name}" has ${waiting} waiting units of ${waitingBytes} bytes`,
    `this call adds ${fresh.length} of ${sumOf(fresh)} bytes`,
    `must be at most ${maxWaitingUnits} of ${maxWaitingBytes} bytes together`,
    mayFit ? `try again in ${retryAfterSeconds} s, or with fewer units` : 'publish fewer units in a call',
  ];
  errors.report('POOL_FULL', ['poolId'], parts.join('; '));
  return { ...refused(errors), retryAfterSeconds: mayFit ? retryAfterSeconds : null };
}

function answer(
  units: readonly PublishedUnit[],
  [known, made]: readonly [ReadonlyMap<string, string>, ReadonlyMap<string, string>?],
): PublishResult {
  const unitIds = units.map(({ key }) => known.get(key) ?? made?.get(key) ?? '');
  const repeatedCount = units.length - (made?.size ?? 0);
  return { unitIds, repeatedCount, retryAfterSeconds: null, userErrors: [] };
}

function refused(errors: InputErrors<PublishCode>): PublishResult {
  return { unitIds: [], repeatedCount: 0, retryAfterSeconds: null, userErrors: errors.all };
}
