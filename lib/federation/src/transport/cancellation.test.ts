import { describe, expect, it, jest } from '@jest/globals';
import { Cancellation, endOf } from './cancellation.js';
import { endedBy } from './ended-request.js';
import type { SubgraphRequest } from './transport.js';

const request = { operation: {} as never, scope: '', requestId: 'r' };

describe('Cancellation', () => {
  it('notifies early and late listeners once', () => {
    const cancellation = new Cancellation();
    const [early, gone, late] = [jest.fn(), jest.fn(), jest.fn()];
    cancellation.onCancel(early);
    cancellation.onCancel(gone)();
    cancellation.cancel('first');
    cancellation.cancel('second');
    cancellation.onCancel(late);
    expect([early, gone, late].map(({ mock }) => mock.calls)).toEqual([[['first']], [], [['first']]]);
    expect(cancellation.reason).toBe('first');
  });

  it('aborts a signal created before it and one created after it', () => {
    const before = new Cancellation();
    const { signal } = before;
    expect(signal.aborted).toBe(false);
    before.cancel('over');
    expect([signal.aborted, signal.reason]).toEqual([true, 'over']);
    const after = new Cancellation();
    after.cancel('over');
    expect([after.signal.aborted, after.signal.reason]).toEqual([true, 'over']);
    expect(after.signal).toBe(after.signal);
  });

  it('ends the request; so does a signal', () => {
    const cancellation = new Cancellation();
    const controller = new AbortController();
    const requests: readonly SubgraphRequest[] = [
      endedBy(request, cancellation),
      { ...request, signal: controller.signal },
      request,
    ];
    const ends = requests.map(endOf);
    const listeners = ends.map((end) => {
      const listener = jest.fn();
      end.onCancel(listener);
      return listener;
    });
    expect(endedBy(request, cancellation).signal).toBe(cancellation.signal);
    cancellation.cancel('one');
    controller.abort('two');
    expect(ends.map(({ isCancelled, reason }) => [isCancelled, reason])).toEqual([
      [true, 'one'],
      [true, 'two'],
      [false, undefined],
    ]);
    expect(listeners.map(({ mock }) => mock.calls)).toEqual([[['one']], [['two']], []]);
  });
});
