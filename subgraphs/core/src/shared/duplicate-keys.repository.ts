/** Inserts that may find documents of an earlier attempt. */
import { MongoBulkWriteError } from 'mongodb';

const duplicateKey = 11_000;

/** Returns true if an unordered insert failed only because documents already existed. */
export function isOnlyDuplicates(error: unknown): boolean {
  if (!(error instanceof MongoBulkWriteError)) return false;
  const errors = Array.isArray(error.writeErrors) ? error.writeErrors : [error.writeErrors];
  const concern = error.result.getWriteConcernError();
  return concern === undefined && errors.length > 0 && errors.every(({ code }) => code === duplicateKey);
}
