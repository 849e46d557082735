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
