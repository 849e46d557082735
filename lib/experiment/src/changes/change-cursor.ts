/** Cursors of changes: positions in the change stream of an experiment's collection. */
import { streamCursors } from '@rhizome/mongo';

export const { decodeCursor, encodeCursor, expiredCursor, invalidCursor, placeFault } = streamCursors({
  prefix: 'c1.',
  advice: 'subscribe without "after", and read what you follow once',
});
