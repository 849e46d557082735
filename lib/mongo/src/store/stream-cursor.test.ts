import { describe, expect, it } from '@jest/globals';
import { secondsOf, streamCursors } from './stream-cursor.js';

const { encodeCursor, decodeCursor, expiredCursor } = streamCursors({
  prefix: 't1.',
  advice: 'start again',
});
/**
 * As MongoDB creates them: type byte 82, seconds, increment, and bytes that distinguish changes of one time.
 */
const token = '8265F1C2A30000000B2B042C0100296E5A1004';
const refusal = { code: 'CURSOR_INVALID', details: expect.objectContaining({ field: 'after' }) };

describe('stream cursor', () => {
  it('carries a position and its time', () => {
    expect(decodeCursor(encodeCursor(token))).toBe(token);
    expect(new Date(secondsOf(token) * 1000).toISOString()).toBe('2024-03-13T15:13:39.000Z');
  });

  it.each<[string, string]>([
    ['nothing', ''],
    ['the prefix alone', 't1.'],
    ['junk', 't1.***'],
    ['one of another stream', encodeCursor(token).replace('t1.', 'u1.')],
    ['one without its beginning', encodeCursor(token).slice(3)],
    ['a cut one', encodeCursor(token.slice(0, 18))],
    ['one that does not begin with a time', encodeCursor(`83${token.slice(2)}`)],
    ['one that is too long', encodeCursor(token + 'AB'.repeat(400))],
    ['the same place in other words', `${encodeCursor(token)}=`],
  ])('rejects %s with CURSOR_INVALID', (_what, cursor) => {
    expect(() => decodeCursor(cursor)).toThrow(expect.objectContaining(refusal));
  });

  it('reports, if expired, the oldest time of the stream and what to do', () => {
    const { code, message } = expiredCursor(token);
    expect([code, message]).toEqual([
      'CURSOR_EXPIRED',
      'after: the stream no longer reaches back to 2024-03-13T15:13:39.000Z; start again',
    ]);
  });
});
