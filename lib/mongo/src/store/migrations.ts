import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Collection, Db } from 'mongodb';
import { systemClock, type Clock } from '@rhizome/clock';
import { isDuplicateKey } from './duplicate-key.js';
import { recordCopy } from './declarations.js';
import { completeRestore, type RestoreMark, restoreMarks } from './restore-mark.js';

/** One step forward; it may be run again after a crash and must then do what is left. */
export interface Migration {
  /**
   * `0001-jobs-get-shares`: four digits, growing by the order of the list, and words. Never changed once
   * released.
   */
  readonly id: string;
  /** `signal` is aborted when the lock was lost: stop, somebody else goes on. */
  readonly up: (db: Db, signal: AbortSignal) => Promise<void>;
}

/** Options of `runMigrations`. */
export interface MigrationOptions {
  readonly log?: Logger;
  readonly clock?: Clock;
  /** A holder of the lock that is silent for so long has lost it; 30,000 unless given. */
  readonly lockTtlMs?: number;
  /**
   * True if the caller afterwards creates all collections in their newest form. In a database without
   * collections, migrations have nothing to change: all are recorded and none runs.
   */
  readonly isCreatedLatest?: boolean;
  /**
   * Called once for a database that was restored from a backup, before its migrations; again after a crash
   * in it. Other processes wait meanwhile.
   */
  readonly afterRestore?: (db: Db, restored: RestoreMark) => Promise<void>;
  /** Maximum wait for the run of another process, in milliseconds; default 600,000. */
  readonly waitMs?: number;
}

interface MigrationRecord {
  _id: string;
  schemaVersion: number;
  appliedAt: Date;
  durationMs: number;
}

interface LockDocument {
  _id: 'lock';
  owner: string;
  expiresAt: Date;
}

const lookAgainMs = 100;

/**
 * Runs what is not yet recorded in the collection `migrations`, in order, each once, while holding the lock
 * document in `migrationLock`: of several processes that start at once one works and the others wait.
 * @returns the ids that this call ran; those that it only recorded are not among them
 * @throws DomainError MIGRATION_FAILED: the failed migration is not recorded, later ones are not tried;
 *   RESTORE_UNFINISHED while the database is being restored
 */
export async function runMigrations(
  db: Db,
  migrations: readonly Migration[],
  options: MigrationOptions = {},
): Promise<string[]> {
  checkOrder(migrations);
  const records = db.collection<MigrationRecord>('migrations');
  const [mark, unrecorded] = await Promise.all([completeRestore(db), pending(records, migrations)]);
  if (mark === null && unrecorded.length === 0) return [];
  return withLock(db, options, async (signal) => {
    const done: string[] = [];
    const restored = await completeRestore(db);
    if (restored) await settleRestore(db, restored, options);
    const missing = await pending(records, migrations);
    // Another process has run or recorded them while this one waited for the lock.
    if (missing.length === 0) return done;
    if (options.isCreatedLatest === true && (await isEmpty(db))) {
      await recordAll(records, missing, options);
      return done;
    }
    for (const migration of missing) {
      await apply(db, records, migration, signal, options);
      done.push(migration.id);
    }
    return done;
  });
}

/** Adapts restored documents, then removes the mark of the restore. */
async function settleRestore(
  db: Db,
  restored: RestoreMark,
  { afterRestore, log }: MigrationOptions,
): Promise<void> {
  await afterRestore?.(db, restored);
  await recordCopy(db, restored.isCopy === true);
  const { state, manifest, startedAt } = restored;
  // A process that stood still does not remove the mark of a later restore.
  const { deletedCount } = await restoreMarks(db).deleteOne(
    { _id: 'restore', state, manifest, startedAt },
    { writeConcern: { w: 'majority' } },
  );
  if (deletedCount > 0) await restoreMarks(db).drop();
  log?.info({ database: db.databaseName }, 'restored database adopted');
}

function checkOrder(migrations: readonly Migration[]): void {
  let last = '';
  for (const { id } of migrations) {
    if (!/^\d{4}-[a-z0-9]+(-[a-z0-9]+)*$/.test(id))
      throw new TypeError(`migration ${id} is not named like 0001-what-it-does`);
    if (id.slice(0, 4) <= last.slice(0, 4))
      throw new TypeError(`migration ${id} comes after ${last}; numbers must grow`);
    last = id;
  }
}

/**
 * Unrecorded migrations. One that would have to run before a recorded one means that two branches met
 * wrongly.
 */
async function pending(
  records: Collection<MigrationRecord>,
  migrations: readonly Migration[],
): Promise<Migration[]> {
  const recorded = new Set(
    (await records.find({}, { projection: { _id: 1 } }).toArray()).map(({ _id }) => _id),
  );
  const latest = migrations.findLast(({ id }) => recorded.has(id))?.id ?? '';
  const missing = migrations.filter(({ id }) => !recorded.has(id));
  const late = missing.find(({ id }) => id < latest);
  if (late)
    throw failed(late.id, `it comes before ${latest}, which was run already; give it a number of its own`);
  return missing;
}

/** True if the database has no collection but those of this module. */
async function isEmpty(db: Db): Promise<boolean> {
  const own = ['migrations', 'migrationLock', 'declarations'];
  return (await db.listCollections({ name: { $nin: own } }, { nameOnly: true }).toArray()).length === 0;
}

/** Records the migrations of a new database; those that a process has recorded that lost its lock stay. */
async function recordAll(
  records: Collection<MigrationRecord>,
  migrations: readonly Migration[],
  { log, clock = systemClock }: MigrationOptions,
): Promise<void> {
  const recorded = { schemaVersion: 1, appliedAt: clock.now(), durationMs: 0 };
  await records.bulkWrite(
    migrations.map(({ id }) => ({
      updateOne: { filter: { _id: id }, update: { $setOnInsert: recorded }, upsert: true },
    })),
    { ordered: false, writeConcern: { w: 'majority' } },
  );
  log?.info({ migrations: migrations.length }, 'new database needed no migrations');
}

async function apply(
  db: Db,
  records: Collection<MigrationRecord>,
  { id, up }: Migration,
  signal: AbortSignal,
  { log, clock = systemClock }: MigrationOptions,
): Promise<void> {
  const started = clock.monotonicMs();
  log?.info({ migration: id }, 'migration starts');
  try {
    await up(db, signal);
  } catch (error) {
    throw failed(id, error instanceof Error ? error.message : String(error), error);
  }
  if (signal.aborted) throw failed(id, 'its lock was lost while it ran; another process goes on');
  const durationMs = Math.round(clock.monotonicMs() - started);
  const record: MigrationRecord = { _id: id, schemaVersion: 1, appliedAt: clock.now(), durationMs };
  await records.updateOne(
    { _id: id },
    { $setOnInsert: record },
    { upsert: true, writeConcern: { w: 'majority' } },
  );
  log?.info({ migration: id, durationMs }, 'migration is done');
}

function failed(id: string, reason: string, cause?: unknown): DomainError {
  return new DomainError(
    'MIGRATION_FAILED',
    `migration ${id} failed: ${reason}`,
    { field: 'migration', value: id },
    { cause },
  );
}

async function withLock<T>(
  db: Db,
  options: MigrationOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { lockTtlMs = 30_000, waitMs = 600_000, log } = options;
  const locks = db.collection<LockDocument>('migrationLock');
  const owner = `${hostname()}/${process.pid}/${process.hrtime.bigint()}`;
  const deadline = performance.now() + waitMs;
  while (!(await acquireLock(locks, owner, lockTtlMs))) {
    if (performance.now() > deadline)
      throw failed('lock', `another process holds the lock for more than ${waitMs} ms`);
    await delay(lookAgainMs);
  }
  const lost = new AbortController();
  const sign = setInterval(() => {
    acquireLock(locks, owner, lockTtlMs).then(
      (mine) => mine || lost.abort(),
      (error: unknown) => log?.warn({ err: error }, 'the lock of the migrations could not be renewed'),
    );
  }, lockTtlMs / 3);
  try {
    return await work(lost.signal);
  } finally {
    clearInterval(sign);
    await locks.deleteOne({ _id: 'lock', owner });
  }
}

/** Takes or renews the lock, all in one update by the server's clock: those of the processes may differ. */
async function acquireLock(locks: Collection<LockDocument>, owner: string, ttlMs: number): Promise<boolean> {
  const mine = { $literal: owner };
  const isFree = {
    $or: [{ $eq: ['$owner', mine] }, { $lt: [{ $ifNull: ['$expiresAt', new Date(0)] }, '$$NOW'] }],
  };
  const expiresAt = { $cond: [isFree, { $add: ['$$NOW', ttlMs] }, '$expiresAt'] };
  try {
    const lock = await locks.findOneAndUpdate(
      { _id: 'lock' },
      [{ $set: { owner: { $cond: [isFree, mine, '$owner'] }, expiresAt } }],
      { upsert: true, returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
    return lock?.owner === owner;
  } catch (error) {
    // Two inserted the lock at once; the other one has it.
    if (isDuplicateKey(error)) return false;
    throw error;
  }
}
