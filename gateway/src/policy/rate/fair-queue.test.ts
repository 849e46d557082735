import { describe, expect, it } from '@jest/globals';
import { FairQueue, type FairQueueLimits, type Release, type Work } from './fair-queue.js';

/** A queue whose time and loop delay a test sets. */
function queueWith(limits: Partial<FairQueueLimits> = {}) {
  const time = { nowMs: 1000, loopDelayMs: 0 };
  const queue = new FairQueue({
    limits: { runningOperations: 2, waitingPerSubject: 100, waitingBytesPerSubject: 1000, ...limits },
    loopDelayMs: () => time.loopDelayMs,
    nowMs: () => time.nowMs,
  });
  const order: string[] = [];
  const ends: Release[] = [];
  const enter = (subject: string, work: Partial<Work> = {}): void => {
    const turn = queue.enter({ subject, workClass: 'read', cost: 0, bytes: 0, ...work });
    const started = (end: Release): void => {
      order.push(subject);
      ends.push(end);
    };
    if (turn instanceof Promise) turn.then(started, (error: { code: string }) => order.push(error.code));
    else started(turn);
  };
  /** Ends the running operations one after the other until nothing waits. */
  const drain = async (): Promise<void> => {
    for (let end = ends.shift(); end; end = ends.shift()) {
      end();
      await Promise.resolve();
    }
  };
  const codeOf = (work: () => void): unknown => {
    try {
      work();
      return undefined;
    } catch (error) {
      const { code, details } = error as { code: string; details: Record<string, unknown> };
      return [code, details['retryAfterSeconds']];
    }
  };
  return { queue, order, enter, ends, drain, time, codeOf };
}

describe('FairQueue', () => {
  it('runs everything at once while there is capacity', () => {
    const { order, enter, queue } = queueWith();
    enter('a');
    enter('b');
    expect(order).toEqual(['a', 'b']);
    expect(queue.load).toEqual({ running: 2, waiting: 0 });
  });

  it('serves a subject with one operation before the hundredth of another', async () => {
    const { order, enter, drain } = queueWith();
    for (let at = 0; at < 50; at++) enter('greedy');
    enter('modest');
    await drain();
    expect(order).toHaveLength(51);
    expect(order.indexOf('modest')).toBeLessThan(4);
  });

  it('counts cost: a subject with expensive operations gets fewer', async () => {
    const { order, enter, drain } = queueWith({ runningOperations: 1 });
    for (let at = 0; at < 20; at++) {
      enter('expensive', { cost: 2000 });
      enter('cheap');
    }
    await drain();
    expect(order.slice(0, 20).filter((subject) => subject === 'cheap').length).toBeGreaterThan(15);
  });

  it('leaves a part of the capacity to others, however long the operations of one subject take', () => {
    const { order, enter, queue } = queueWith({ runningOperations: 4 });
    for (let at = 0; at < 10; at++) enter('slow');
    expect(queue.load).toEqual({ running: 3, waiting: 7 });
    enter('other', { cost: 100_000 });
    return Promise.resolve().then(() => expect(order).toEqual(['slow', 'slow', 'slow', 'other']));
  });

  it('never makes pilots wait', () => {
    const { order, enter } = queueWith();
    for (let at = 0; at < 50; at++) enter('greedy');
    enter('pilot:Q', { workClass: 'pilot' });
    expect(order.at(-1)).toBe('pilot:Q');
  });

  it('refuses more waiting operations, or bytes, than one subject may have', () => {
    const { enter, codeOf } = queueWith({ waitingPerSubject: 3 });
    for (let at = 0; at < 4; at++) enter('greedy');
    expect(codeOf(() => enter('greedy'))).toEqual(['LIMIT_EXCEEDED', 1]);
    enter('large', { bytes: 900 });
    enter('large', { bytes: 900 });
    expect(codeOf(() => enter('large', { bytes: 900 }))).toEqual(['LIMIT_EXCEEDED', 1]);
    expect(codeOf(() => enter('other'))).toBeUndefined();
  });

  it('refuses the lowest class first when the loop is slow or operations wait too long', () => {
    const { enter, time, codeOf } = queueWith({ runningOperations: 1 });
    enter('a');
    time.loopDelayMs = 600;
    const shed = (): unknown[] =>
      (['background', 'read', 'mutation', 'stream', 'pilot'] as const).map((workClass) =>
        codeOf(() => enter(`${workClass} ${time.loopDelayMs}`, { workClass })),
      );
    expect(shed()).toEqual([['SERVICE_UNAVAILABLE', 2], undefined, undefined, undefined, undefined]);
    time.loopDelayMs = 6000;
    expect(shed().map((code) => (code ? 'refused' : 'admitted'))).toEqual([
      'refused',
      'refused',
      'refused',
      'admitted',
      'admitted',
    ]);
  });

  it('does not run what has waited so long that its client has given up', async () => {
    const { order, enter, drain, time } = queueWith({ runningOperations: 1 });
    enter('a');
    enter('b', { workClass: 'background' });
    enter('c');
    time.nowMs += 1500;
    await drain();
    expect(order).toEqual(['a', 'SERVICE_UNAVAILABLE', 'c']);
  });

  it('runs fewer operations while the event loop is slow, and more again later', () => {
    const { queue, enter, time } = queueWith({ runningOperations: 100 });
    time.loopDelayMs = 150;
    for (let at = 0; at < 200; at++) {
      if (at < 10) time.nowMs += 100;
      enter(`subject ${at}`);
    }
    expect(queue.load.running).toBeLessThan(30);
    time.loopDelayMs = 0;
    for (let at = 0; at < 20; at++) {
      time.nowMs += 100;
      enter(`later ${at}`);
    }
    expect(queue.load.running).toBeGreaterThan(90);
  });

  it('refuses operations that have waited too long a few in one turn of the event loop', async () => {
    const { enter, ends, order, time, queue } = queueWith();
    for (let at = 0; at < 90; at++) enter('greedy');
    time.nowMs += 10_000;
    ends.shift()?.();
    const perTurn: number[] = [];
    while (queue.load.waiting > 0) {
      const before = queue.load.waiting;
      await new Promise((resolve) => setImmediate(resolve));
      perTurn.push(before - queue.load.waiting);
    }
    expect(order.filter((one) => one === 'SERVICE_UNAVAILABLE')).toHaveLength(89);
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(16);
    expect(perTurn.length).toBeGreaterThan(3);
  });
});
