/** Writes of work units to `mongod` alone: those of core, without calls and searches. */
import {
  BlocksRepository,
  completeUnit,
  groupsOf,
  leaseUnits,
  newBlocks,
  type PoolDocument,
  PoolsRepository,
  PublishRepository,
  settingsOf,
  unitCollections,
  UnitTotalsRepository,
  WorkDraft,
} from '@rhizome/core/units';
import { createIds, systemClock } from '@rhizome/clock';
import { type CollectionDefinition, ensureCollections } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { batchOf, perCall } from './batch.js';

const ids = createIds();

/** Units per second by writers that publish, lease and complete one batch after another, each in its pool. */
export async function storeAlone(db: Db, writers: number, seconds: number): Promise<number> {
  await ensureCollections(db, unitCollections as readonly CollectionDefinition[]);
  const pools = await Promise.all(Array.from({ length: writers }, (_, at) => makePool(db, at)));
  const started = performance.now();
  const until = started + seconds * 1000;
  const counts = await Promise.all(pools.map((pool) => write(db, pool, until)));
  const rate = counts.reduce((sum, count) => sum + count, 0) / ((performance.now() - started) / 1000);
  await db.dropDatabase();
  return rate;
}

async function makePool(db: Db, at: number): Promise<PoolDocument> {
  const now = systemClock.now();
  const pool: PoolDocument = {
    _id: ids.next('pool'),
    ...{ schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now },
    ...{ experiment: 'bench', name: `pool-${at}`, owner: 'bench', state: 'OPEN' },
    settings: settingsOf({ maxWaitingUnits: 100_000_000 }),
    ...{ digest: 'x', blocks: 0, removed: { completed: 0, dead: 0, failures: 0, seconds: 0 } },
  };
  await new PoolsRepository(db).insert(pool);
  return pool;
}

async function write(db: Db, pool: PoolDocument, until: number): Promise<number> {
  const { _id: poolId, settings } = pool;
  const blocks = new BlocksRepository(db);
  const publications = new PublishRepository(db, new UnitTotalsRepository(db));
  const holder = { jobId: `job of ${poolId}`, site: 'BENCH' };
  const draftOf = (): WorkDraft =>
    new WorkDraft({ poolId, settings, now: systemClock.now(), ids, writer: poolId });
  let count = 0;
  while (performance.now() < until) {
    const now = systemClock.now();
    const groups = groupsOf(batchOf(`${poolId} ${count}`));
    const { made } = await publications.publish({
      ...{ poolId, blockCount: groups.length, now, fits: () => true },
      make: (first) => newBlocks(pool, groups, first, now),
      keysUntil: new Date(now.getTime() + 86_400_000),
    });
    const [block] = made?.blocks ?? [];
    if (!block) throw new Error('nothing was published');
    const leasing = draftOf();
    leasing.add(block);
    const spec = { holder, max: perCall, maxBytes: 4_194_304, blocked: new Set<string>() };
    leasing.change(block._id, leaseUnits(block, spec, settings, leasing.context.now));
    await commit(blocks, leasing);
    await blocks.payloads([block._id]);
    const [leased] = leasing.written;
    if (!leased) throw new Error('nothing was leased');
    const completing = draftOf();
    completing.add(leased);
    const completionId = ids.next('completion');
    const outcomes = leased.units.map(({ fence }, position) =>
      completeUnit(leased, { position, fence }, { holder, completionId, now: completing.context.now }),
    );
    const changes = outcomes.flatMap((outcome) => (outcome.kind === 'changed' ? [outcome.change] : []));
    completing.change(leased._id, changes);
    const completed = changes.map(({ position, unit: { key } }) => ({ position, key, seconds: 0 }));
    completing.complete(completionId, leased._id, holder, completed);
    await commit(blocks, completing);
    count += changes.length;
  }
  return count;
}

async function commit(blocks: BlocksRepository, draft: WorkDraft): Promise<void> {
  if (!(await blocks.commit(draft.writes, draft, draft.context.now))) throw new Error('a block was changed');
}
