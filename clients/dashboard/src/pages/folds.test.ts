import { describe, expect, it } from '@jest/globals';
import type { CountsSubscription, LogMovesSubscription } from '../operations.generated.js';
import { byState, foldCounts } from './counts.js';
import { emptyLog, foldLog, readable } from './log.js';

type Count = CountsSubscription['jobCountsChanged']['counts'][number];
const count = (state: Count['state'], number: number, change: Partial<Count> = {}): Count => ({
  experimentName: 'alpha',
  queueName: null,
  gpuModel: null,
  sharePath: 'alpha/default',
  state,
  count: number,
  ...change,
});
const counts = (...all: Count[]): CountsSubscription => ({ jobCountsChanged: { cursor: 'c', counts: all } });

describe('counts', () => {
  it('replaces jobs with the same key, and everything on a first message', () => {
    let now = foldCounts(
      new Map(),
      counts(count('PENDING', 3), count('RUNNING', 2, { queueName: 'q' })),
      true,
    );
    now = foldCounts(now, counts(count('PENDING', 1), count('RUNNING', 4, { queueName: 'other' })), false);
    expect(Object.fromEntries(byState(now))).toEqual({ PENDING: 1, RUNNING: 6 });
    now = foldCounts(now, counts(count('FINISHED', 9)), true);
    expect(Object.fromEntries(byState(now))).toEqual({ FINISHED: 9 });
  });
});

const chunk = (cursor: string) => ({ cursor, stream: 'STDOUT' as const, text: cursor, at: 'now' });
const log = (attempt: number, cursors: string[], isComplete = false): LogMovesSubscription => ({
  jobLogAppended: { cursor: 'x', event: { attempt, isComplete, chunks: cursors.map(chunk) } },
});
const texts = (shown: typeof emptyLog): string[] => shown.chunks.map(({ text }) => text);

describe('a log', () => {
  it('grows, and shows nothing twice', () => {
    let shown = foldLog(emptyLog, log(1, ['a', 'b']));
    shown = foldLog(shown, log(1, ['b', 'c']));
    expect(texts(shown)).toEqual(['a', 'b', 'c']);
  });

  it('starts again with another attempt, and ignores late chunks of an older one', () => {
    let shown = foldLog(emptyLog, log(1, ['a']));
    shown = foldLog(shown, log(2, ['x']));
    shown = foldLog(shown, log(1, ['b']));
    expect([shown.attempt, texts(shown)]).toEqual([2, ['x']]);
  });

  it('keeps its end', () => {
    const many = Array.from({ length: 2500 }, (_, index) => String(index));
    expect(texts(foldLog(emptyLog, log(1, many))).at(0)).toBe('500');
    expect(foldLog(emptyLog, log(1, [], true)).isComplete).toBe(true);
  });

  it('keeps the end of large chunks, marks that more precedes it, and clears the mark with a new attempt', () => {
    const large = (cursor: string): LogMovesSubscription => ({
      jobLogAppended: {
        cursor,
        event: {
          attempt: 1,
          isComplete: false,
          chunks: [{ ...chunk(cursor), text: cursor.repeat(60_000) }],
        },
      },
    });
    let shown = emptyLog;
    for (const cursor of 'abcdefgh') shown = foldLog(shown, large(cursor));
    expect([shown.isCut, texts(shown).length]).toEqual([false, 8]);
    for (const cursor of 'ijklmnop') shown = foldLog(shown, large(cursor));
    expect(shown.isCut).toBe(true);
    expect(texts(shown).map(([first]) => first)).toEqual([...'ijklmnop']);
    expect(foldLog(shown, log(2, ['x']))).toMatchObject({ isCut: false });
  });

  it.each([
    ['plain\n', 'plain\n'],
    ['\u001b[1;31mred\u001b[0m', 'red'],
    ['\u001b]0;a title\u0007text', 'text'],
    ['10 %\r20 %\r\n', '10 %\n20 %\r\n'],
    ['x\u001b[2K\u001b[1Gy', 'xy'],
  ])('shows %j as %j', (text, shown) => {
    expect(readable(text)).toBe(shown);
  });
});
