/** What the driver's errors mean for a stream. */
import { DomainError } from '@rhizome/errors';
import { MongoServerError } from 'mongodb';
import { encodeCursor, expiredCursor, invalidCursor } from './cursor.js';

/** The oplog no longer reaches back to the place; or its event is not there, as after a roll-back or in another store. */
const lostCodes = new Set([286, 280, 136]);
/** The token does not parse. */
const invalidCodes = new Set([2, 9, 260, 40647, 40648, 40649, 50811, 50797]);

/** Whether the stream cannot be continued from its place: what was derived from it must be made anew. */
export function isStreamLost(error: unknown): boolean {
  return error instanceof MongoServerError && typeof error.code === 'number' && lostCodes.has(error.code);
}

/** The error that a caller who gave this place is told. */
export function feedFault(error: unknown, place: string): unknown {
  if (isStreamLost(error)) return expiredCursor(place, error);
  if (!(error instanceof MongoServerError)) {
    return new DomainError('SERVICE_UNAVAILABLE', 'The event stream cannot be read now', { service: 'database' }, { cause: error });
  }
  if (typeof error.code === 'number' && invalidCodes.has(error.code)) return invalidCursor(encodeCursor(place), error);
  return error;
}
