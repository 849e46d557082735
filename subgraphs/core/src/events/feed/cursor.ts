/** Cursors of the event stream: positions in the change stream of jobs. */
import { DomainError } from '@rhizome/errors';
import { streamCursors } from '@rhizome/mongo';

export const { decodeCursor, encodeCursor, invalidCursor, placeFault } = streamCursors({
  prefix: 'e1.',
  advice: 'subscribe without "after", then read the jobs, and resume from the cursor of the first message',
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

/** A time of the store: seconds since 1970, and a counter within that second. */
export interface StoreTime {
  readonly t: number;
  readonly i: number;
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
