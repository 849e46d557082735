/** Databases that a restore writes: which they are, and whether it may write them. */
import { type RestoreMark, restoreMarks } from '@rhizome/mongo';
import type { Db, MongoClient } from 'mongodb';
import { DeploymentError } from '../deployment-error.js';
import { listCollections } from './databases.js';
import type { Manifest, SavedDatabase } from './manifest.js';

/** A database of the backup, and the one it is written to. */
export interface RestoreTarget {
  readonly saved: SavedDatabase;
  readonly db: Db;
  /** Mark of an earlier run of the same restore, which this run continues. */
  readonly mark: RestoreMark | null;
  /** An earlier run of the same restore has completed it, and did not come to the end of the others. */
  readonly isComplete: boolean;
  /** The database has documents that the restore removes. */
  readonly isReplaced: boolean;
}

/** Longest name of a database, in bytes. */
const longestName = 63;

/**
 * Plans a restore; changes nothing.
 * @throws DeploymentError if a database is not empty and `replace` is false, or if core runs on one
 */
export async function planTargets(
  client: MongoClient,
  { manifest, digest }: { readonly manifest: Manifest; readonly digest: string },
  { prefix, replace, databases }: RestoreSelection,
): Promise<readonly RestoreTarget[]> {
  const unknown = (databases ?? []).filter((name) => !manifest.databases.some((one) => one.name === name));
  if (unknown.length > 0) throw new DeploymentError(`Database ${unknown.join(', ')} is not in the backup`);
  const chosen = manifest.databases.filter(
    ({ name }) => databases === undefined || databases.length === 0 || databases.includes(name),
  );
  const found = await Promise.all(
    chosen.map(async (saved) => {
      const db = client.db(targetName(saved.name, prefix));
      return { saved, db, mark: await restoreMarks(db).findOne({ _id: 'restore' }) };
    }),
  );
  const isOurs = (mark: RestoreMark | null): boolean => mark?.state === 'RUNNING' && mark.manifest === digest;
  const complete = new Set(found.flatMap(({ mark }) => (isOurs(mark) ? (mark?.complete ?? []) : [])));
  return Promise.all(
    found.map(async ({ saved, db, mark }) => {
      if (isOurs(mark)) return { saved, db, mark, isReplaced: false, isComplete: false };
      if (mark?.state !== 'RUNNING' && complete.has(db.databaseName))
        return { saved, db, mark: null, isReplaced: false, isComplete: true };
      // The mark of another restore that did not end: its collections are incomplete and may be replaced.
      const isEmpty = mark === null && (await listCollections(db)).length === 0;
      if (!isEmpty && !replace)
        throw new DeploymentError(
          `Database ${db.databaseName} is not empty; restore with --as PREFIX under other names, or replace it with --replace`,
        );
      if (!isEmpty) await assertNotLed(db);
      return { saved, db, mark: null, isReplaced: !isEmpty, isComplete: false };
    }),
  );
}

/** Databases to restore, and their names. */
export interface RestoreSelection {
  /** Is put before the names of the databases. */
  readonly prefix: string;
  /** Permits to remove what the databases contain. */
  readonly replace: boolean;
  /** Only these databases of the backup; default: all. */
  readonly databases?: readonly string[] | undefined;
}

function targetName(name: string, prefix: string): string {
  const target = `${prefix}${name}`;
  if (!/^[A-Za-z0-9_-]*$/.test(prefix) || Buffer.byteLength(target) > longestName)
    throw new DeploymentError(
      `${JSON.stringify(target)} cannot be the name of a database; must be at most ${longestName} letters, digits, "_" and "-"`,
    );
  return target;
}

/** @throws DeploymentError while a core process leads: it would go on to write */
export async function assertNotLed(db: Db): Promise<void> {
  const filter = { _id: 'broker', $expr: { $gt: ['$expiresAt', '$$NOW'] } };
  const lease = await db.collection<{ _id: string }>('brokerLease').findOne(filter);
  if (lease)
    throw new DeploymentError(
      `A core process runs on database ${db.databaseName}; stop all services before you replace it`,
    );
}
