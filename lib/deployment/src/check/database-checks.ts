/** Checks of one database of the deployment. */
import { findDrift, readDeclarations, restoreMarks } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { type Check, fail, type Finding, ok, warn } from './check.types.js';
import { diskSpace } from './server-checks.js';

/** Differences that are listed one by one. */
const mostListed = 20;

/** Checks of a database. */
export function databaseChecks(db: Db): readonly Check[] {
  return [
    { check: 'restore', run: () => restoreState(db) },
    { check: 'collections', run: () => collections(db) },
    { check: 'migrations', run: () => migrations(db) },
    { check: 'disk', run: () => diskSpace(db) },
  ];
}

async function restoreState(db: Db): Promise<readonly Finding[]> {
  const mark = await restoreMarks(db).findOne({ _id: 'restore' });
  if (mark?.state !== 'RUNNING') return [];
  const found = `not complete; begun ${mark.startedAt.toISOString()}, ${mark.done.length} collections so far`;
  return [fail('restore', found, 'run "rhizome admin restore" again with the same backup')];
}

async function collections(db: Db): Promise<readonly Finding[]> {
  const declared = await readDeclarations(db);
  if (!declared)
    return [
      fail('collections', 'no service of this release has started', 'start the service of this database'),
    ];
  const drift = await findDrift(db, declared.collections);
  if (drift.length === 0)
    return [ok('collections', `${declared.collections.length}, with validators and indexes as declared`)];
  const listed = drift.slice(0, mostListed).map(({ collection, index, reason }) => {
    const name = index === undefined ? collection : `${collection}.${index}`;
    return reason === 'the index is not declared'
      ? warn(name, reason, 'drop it, unless somebody needs it')
      : fail(name, reason, 'start the newest service of this database; if it stays, repair it by hand');
  });
  const more = drift.length - listed.length;
  return more === 0 ? listed : [...listed, fail('collections', `${more} more differences`, '')];
}

interface LockDocument {
  readonly _id: string;
  readonly owner: string;
  readonly expiresAt: Date;
}

async function migrations(db: Db): Promise<Finding> {
  const { applied, pending, lock } = await migrationStatus(db);
  if (lock) return warn('migrations', `${lock.owner} is running them`, 'wait until they are done');
  if (pending.length > 0)
    return fail(
      'migrations',
      `not applied: ${pending.join(', ')}`,
      'start the service of this database, and read its log if it ends',
    );
  return ok('migrations', applied.length === 0 ? 'none' : `${applied.length}, up to ${applied.at(-1) ?? ''}`);
}

/** Migrations of a database: those that were run, those that are declared only, and who runs them now. */
export async function migrationStatus(db: Db): Promise<{
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  readonly lock: LockDocument | null;
}> {
  const [records, declared, lock] = await Promise.all([
    db
      .collection<{ _id: string }>('migrations')
      .find({}, { sort: { _id: 1 } })
      .toArray(),
    readDeclarations(db),
    db.collection<LockDocument>('migrationLock').findOne({ $expr: { $gt: ['$expiresAt', '$$NOW'] } }),
  ]);
  const applied = records.map(({ _id }) => _id);
  const known = new Set(applied);
  return { applied, pending: (declared?.migrations ?? []).filter((id) => !known.has(id)), lock };
}
