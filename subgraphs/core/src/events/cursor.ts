/**
 * Cursors of the event stream. Inside, a place in the stream is the text of a resume token of the change stream: such texts sort as the
 * events do, outlive this process, and are the same in all processes. Outside, it is an opaque text.
 */
import { DomainError } from '@rhizome/errors';

const prefix = 'e1.';
/** A token begins with the time of the event: type byte, seconds, increment. */
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

/** The error for a cursor that the stream never gave. */
export function invalidCursor(cursor: string, cause?: unknown): DomainError {
  const value = cursor.slice(0, 100);
  return new DomainError(
    'CURSOR_INVALID',
    `after: "${value}" is not a cursor of this stream`,
    { field: 'after', value, expected: 'a cursor that this stream gave, or none' },
    { cause },
  );
}

/** The error for a place that the stream no longer reaches back to. */
export function expiredCursor(token: string, cause?: unknown): DomainError {
  const since = new Date(secondsOf(token) * 1000).toISOString();
  return new DomainError(
    'CURSOR_EXPIRED',
    `after: the stream no longer reaches back to ${since}; subscribe without "after", then read the jobs, and go on from the cursor of the first message`,
    { field: 'after', value: since, expected: 'a younger cursor, or none' },
    { cause },
  );
}

/** The error for a consumer that fell behind. */
export function laggedBehind(token: string): DomainError {
  const cursor = encodeCursor(token);
  return new DomainError('SUBSCRIPTION_LAGGED', `The consumer fell behind; go on from cursor ${cursor}`, {
    field: 'after',
    cursor,
    expected: 'subscribe again with this cursor as "after"',
  });
}

/** The time of a place, in seconds since 1970. */
export function secondsOf(token: string): number {
  return Number.parseInt(token.slice(2, 10), 16);
}

/** A time of the store: seconds since 1970, and the count of what happened in that second. */
export interface StoreTime {
  readonly t: number;
  readonly i: number;
}

/**
 * Texts that sort before and behind all events of this very time of the store. They are for comparing, and no resume tokens: a token that
 * tells how far an idle stream is sorts between the two.
 */
export function placesAround({ t, i }: StoreTime): { readonly before: string; readonly behind: string } {
  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0');
  const before = `82${hex(t)}${hex(i)}`;
  return { before, behind: `${before}~` };
}
