import { MongoServerError } from 'mongodb';

/** Returns true for a write that a unique index refused. */
export function isDuplicateKey(error: unknown): error is MongoServerError {
  return error instanceof MongoServerError && error.code === 11_000;
}
