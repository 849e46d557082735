/**
 * Cursors of changes. Inside, a place is the text of a resume token of MongoDB's change streams: such texts sort as the changes do, outlive
 * the process, and are the same in all processes. Outside, it is an opaque text.
 */
import { DomainError } from '@rhizome/errors';

const prefix = 'c1.';
/** A token begins with the time of the change: type byte, seconds, increment. */
const wellFormed = /^82[0-9A-F]{16}(?:[0-9A-F]{2}){4,150}$/;
const longest = 512;

/** The cursor of a place. */
export function encodeCursor(token: string): string {
  return prefix + Buffer.from(token, 'hex').toString('base64url');
}

/** The place of a cursor. @throws DomainError CURSOR_INVALID */
export function decodeCursor(cursor: string): string {
  if (cursor.startsWith(prefix) && cursor.length <= longest) {
    const token = Buffer.from(cursor.slice(prefix.length), 'base64url').toString('hex').toUpperCase();
    if (wellFormed.test(token) && encodeCursor(token) === cursor) return token;
  }
  throw invalidCursor(cursor);
}

/** The error for a cursor that this stream never gave. */
export function invalidCursor(cursor: string, cause?: unknown): DomainError {
  const value = cursor.slice(0, 100);
  const details = { field: 'after', value, expected: 'a cursor that this stream gave, or none' };
  return new DomainError('CURSOR_INVALID', `after: "${value}" is not a cursor of this stream`, details, {
    cause,
  });
}

/** The error for a place that the stream no longer reaches back to. */
export function expiredCursor(token: string, cause?: unknown): DomainError {
  const since = new Date(secondsOf(token) * 1000).toISOString();
  const text = `after: the stream no longer reaches back to ${since}; subscribe without "after", and read what you follow once`;
  return new DomainError(
    'CURSOR_EXPIRED',
    text,
    { field: 'after', value: since, expected: 'a younger cursor, or none' },
    { cause },
  );
}

/** The time of a place, in seconds since 1970. */
export function secondsOf(token: string): number {
  return Number.parseInt(token.slice(2, 10), 16);
}
