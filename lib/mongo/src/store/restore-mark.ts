/**
 * The mark of a restored database: services do not start on one that is not complete, and learn that they
 * start on restored documents for the first time.
 */
import { DomainError } from '@rhizome/errors';
import type { Collection, Db } from 'mongodb';

/** Name of the collection with the mark. */
export const restoreMarkCollection = 'restoreMark';

/** Progress of a restore. */
export interface RestoreMark {
  readonly _id: 'restore';
  /** RUNNING until all databases of the backup are complete. */
  readonly state: 'RUNNING' | 'RESTORED';
  /** SHA-256 of the manifest of the backup. */
  readonly manifest: string;
  readonly startedAt: Date;
  /** Collections that are complete. */
  readonly done: readonly string[];
  /** The database has another name than in the backup: it is a copy, and not the one in production. */
  readonly isCopy?: boolean;
  /** Run that writes the database; absent while none does. */
  readonly owner?: string;
  /** End of its claim, unless it renews it. */
  readonly expiresAt?: Date;
  /** Databases that are all complete; present from then until this mark is lifted. */
  readonly complete?: readonly string[];
  /** Mark that this one has replaced, null if there was none; absent once documents may have been removed. */
  readonly replaces?: RestoreMark | null;
}

/** The collection with the mark of a database. */
export function restoreMarks(db: Db): Collection<RestoreMark> {
  return db.collection<RestoreMark>(restoreMarkCollection);
}

/**
 * The mark of a restore that is complete and that no service has seen yet.
 * @throws DomainError RESTORE_UNFINISHED while the database is not complete
 */
export async function completeRestore(db: Db): Promise<RestoreMark | null> {
  const mark = await restoreMarks(db).findOne({ _id: 'restore' });
  if (mark?.state === 'RUNNING') throw unfinished(db.databaseName);
  return mark;
}

function unfinished(database: string): DomainError {
  return new DomainError(
    'RESTORE_UNFINISHED',
    `database ${database} is being restored, or its restore ended early; run the restore again until it is complete`,
    { field: 'database', value: database, expected: 'a complete restore' },
  );
}
