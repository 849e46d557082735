/**
 * Cursors of streams that are read from change streams. Inside, a place is the text of a resume token: such
 * texts sort as the changes do, outlive the process, and are the same in all processes. Outside, it is an
 * opaque text.
 */
import { DomainError } from '@rhizome/errors';
import { MongoServerError } from 'mongodb';
import type { StoreTime } from './snapshot-read.js';

/** Options that distinguish the cursors of one stream from those of another. */
export interface StreamCursorOptions {
  /** Begins each cursor: one of another stream is none of this. */
  readonly prefix: string;
  /**
   * Advice if the stream no longer reaches back to a cursor; follows "the stream no longer reaches back to …;
   * ".
   */
  readonly advice: string;
}

/** The cursors of one stream. */
export interface StreamCursors {
  /** The cursor of a place. */
  readonly encodeCursor: (token: string) => string;
  /** The place of a cursor. @throws DomainError CURSOR_INVALID */
  readonly decodeCursor: (cursor: string) => string;
  /** The error for a cursor that the stream never gave. */
  readonly invalidCursor: (cursor: string, cause?: unknown) => DomainError;
  /** The error for a place that the stream no longer reaches back to. */
  readonly expiredCursor: (token: string, cause?: unknown) => DomainError;
  /**
   * Meaning of a driver error for the caller that gave the position; undefined if the position is not the
   * cause.
   */
  readonly placeFault: (error: unknown, token: string) => DomainError | undefined;
}

/**
 * The oplog no longer reaches back to the place; or its event is not there, as after a roll-back or in
 * another store.
 */
const lostCodes: ReadonlySet<unknown> = new Set([286, 280, 136]);
/** The token does not parse. */
const invalidCodes: ReadonlySet<unknown> = new Set([2, 9, 260, 40647, 40648, 40649, 50811, 50797]);

/** Returns true if the stream cannot be continued from its position: derived data must be rebuilt. */
export function isStreamLost(error: unknown): boolean {
  return error instanceof MongoServerError && lostCodes.has(error.code);
}

/** A token begins with the time of the change: type byte, seconds, increment. */
const wellFormed = /^82[0-9A-F]{16}(?:[0-9A-F]{2}){4,150}$/;
const longest = 512;

/** Declares the cursors of a stream. */
export function streamCursors({ prefix, advice }: StreamCursorOptions): StreamCursors {
  const encodeCursor = (token: string): string => prefix + Buffer.from(token, 'hex').toString('base64url');
  const expiredCursor = (token: string, cause?: unknown): DomainError => {
    const since = new Date(secondsOf(token) * 1000).toISOString();
    const details = { field: 'after', value: since, expected: 'a younger cursor, or none' };
    const text = `after: the stream no longer reaches back to ${since}; ${advice}`;
    return new DomainError('CURSOR_EXPIRED', text, details, { cause });
  };
  return {
    encodeCursor,
    invalidCursor,
    expiredCursor,
    decodeCursor(cursor) {
      if (cursor.startsWith(prefix) && cursor.length <= longest) {
        const token = Buffer.from(cursor.slice(prefix.length), 'base64url').toString('hex').toUpperCase();
        // One place has one text: a client may compare them.
        if (wellFormed.test(token) && encodeCursor(token) === cursor) return token;
      }
      throw invalidCursor(cursor);
    },
    placeFault(error, token) {
      if (isStreamLost(error)) return expiredCursor(token, error);
      const isInvalid = error instanceof MongoServerError && invalidCodes.has(error.code);
      return isInvalid ? invalidCursor(encodeCursor(token), error) : undefined;
    },
  };
}

/** The time of a place, in seconds since 1970. */
export function secondsOf(token: string): number {
  return Number.parseInt(token.slice(2, 10), 16);
}

/**
 * Texts that sort before and after all events of this time of the store. They are only for comparison, not
 * resume tokens. The token with the position of an idle stream sorts between the two.
 */
export function positionsAround({ t, i }: StoreTime): { readonly before: string; readonly behind: string } {
  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0');
  const before = `82${hex(t)}${hex(i)}`;
  return { before, behind: `${before}~` };
}

function invalidCursor(cursor: string, cause?: unknown): DomainError {
  const value = cursor.slice(0, 100);
  const details = { field: 'after', value, expected: 'a cursor that this stream gave, or none' };
  const text = `after: "${value}" is not a cursor of this stream`;
  return new DomainError('CURSOR_INVALID', text, details, { cause });
}
