/** Cursors of the event stream: places in the change stream of jobs. */
import { DomainError } from '@rhizome/errors';
import { streamCursors } from '@rhizome/mongo';

export const { decodeCursor, encodeCursor, invalidCursor, placeFault } = streamCursors({
  prefix: 'e1.',
  advice: 'subscribe without "after", then read the jobs, and go on from the cursor of the first message',
});

/** The error for a consumer that fell behind. */
export function laggedBehind(token: string): DomainError {
  const cursor = encodeCursor(token);
  return new DomainError('SUBSCRIPTION_LAGGED', `The consumer fell behind; go on from cursor ${cursor}`, {
    field: 'after',
    cursor,
    expected: 'subscribe again with this cursor as "after"',
  });
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
export function positionsAround({ t, i }: StoreTime): { readonly before: string; readonly behind: string } {
  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0');
  const before = `82${hex(t)}${hex(i)}`;
  return { before, behind: `${before}~` };
}
