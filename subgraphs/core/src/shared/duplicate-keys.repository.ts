/** Inserts that may find documents of an earlier attempt. */
import { isDuplicateKey } from '@rhizome/mongo';
import { type Collection, type Document, MongoBulkWriteError, type OptionalUnlessRequiredId } from 'mongodb';

const duplicateKey = 11_000;

/** Returns true if an unordered insert failed only because documents already existed. */
export function isOnlyDuplicates(error: unknown): boolean {
  if (!(error instanceof MongoBulkWriteError)) return false;
  const errors = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
  const concern = error.result.getWriteConcernError();
  return concern === undefined && errors.length > 0 && errors.every(({ code }) => code === duplicateKey);
}

/**
 * Inserts documents, at least one; those that exist are not changed. Resolves when the write is acknowledged
 * by the majority.
 */
export async function insertAbsent<T extends Document>(
  collection: Collection<T>,
  documents: readonly OptionalUnlessRequiredId<T>[],
): Promise<void> {
  try {
    await collection.insertMany([...documents], { ordered: false, writeConcern: { w: 'majority' } });
  } catch (error) {
    if (!isOnlyDuplicates(error)) throw error;
  }
}

/**
 * Inserts a document. Resolves when the write is acknowledged by the majority.
 * @returns false if one with the same id or unique key exists
 */
export async function insertUnlessTaken<T extends Document>(
  collection: Collection<T>,
  document: OptionalUnlessRequiredId<T>,
): Promise<boolean> {
  try {
    await collection.insertOne(document, { writeConcern: { w: 'majority' } });
    return true;
  } catch (error) {
    if (isDuplicateKey(error)) return false;
    throw error;
  }
}
