import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { aReadyJob } from '../../../test/support/scheduler.fixture.js';
import type { ReadyJob } from '../scheduler.types.js';
import { compareKeys, maxRefill, minRefill, ReadyWindow } from './ready-window.js';

/** Ready jobs of the store, from which refills are answered. */
class Store {
  readonly jobs = new Map<string, ReadyJob>();

  sorted(): ReadyJob[] {
    return [...this.jobs.values()].sort(compareKeys);
  }

  refill(window: ReadyWindow, meanwhile: () => void = () => undefined): void {
    const request = window.beginRefill();
    const { after, limit } = request;
    const found = this.sorted()
      .filter((job) => !after || compareKeys(job, after) > 0)
      .slice(0, limit);
    meanwhile();
    window.endRefill(request, found);
  }
}

function many(count: number, priority: (i: number) => number = () => 0): ReadyJob[] {
  return Array.from({ length: count }, (_, i) =>
    aReadyJob(`job_${String(i).padStart(6, '0')}`, { priority: priority(i) }),
  );
}

describe('ReadyWindow', () => {
  it('serves a higher priority first, then the older job', () => {
    const store = new Store();
    for (const job of many(300, (i) => i % 3)) store.jobs.set(job.id, job);
    const window = new ReadyWindow('class_1', 'alpha/default');
    const served: ReadyJob[] = [];
    while (store.jobs.size > 0) {
      if (window.isLow) store.refill(window);
      const job = window.shift();
      if (!job) throw new Error('the window is empty');
      store.jobs.delete(job.id);
      served.push(job);
    }
    expect(served).toEqual(many(300, (i) => i % 3).sort(compareKeys));
  });

  it('is filled behind jobs that wait for another host, up to its bound', () => {
    const store = new Store();
    for (const job of many(20_000)) store.jobs.set(job.id, job);
    const window = new ReadyWindow('class_1', 'alpha/default');
    const seen = new Set<string>();
    for (let round = 0; round < 200; round += 1) {
      if (window.isLow) store.refill(window);
      // A pass takes all jobs of the window, and none of them finds another host.
      const taken: ReadyJob[] = [];
      for (let job = window.shift(); job; job = window.shift()) taken.push(job);
      for (const job of taken) seen.add(job.id);
      window.passOver(taken);
    }
    expect(seen.size).toBeGreaterThanOrEqual(4 * maxRefill);
    expect(window.size).toBeLessThanOrEqual(5 * maxRefill);
    expect(window.head?.id).toBe('job_000000');
  });

  it('does not count jobs of a suspended task among those that wait for another host', () => {
    const store = new Store();
    for (const job of many(1000)) store.jobs.set(job.id, job);
    const window = new ReadyWindow('class_1', 'alpha/default');
    store.refill(window);
    const taken: ReadyJob[] = [];
    for (let job = window.shift(); job; job = window.shift()) taken.push({ ...job, taskId: 'task_1' });
    window.passOver(taken);
    window.removeTasks((taskId) => taskId === 'task_1');
    expect(window.size).toBe(0);
    store.refill(window);
    expect(window.size).toBe(2 * minRefill);
    expect(window.isLow).toBe(false);
  });

  it('holds no more than its bound, whatever is stored behind it or arrives', () => {
    const store = new Store();
    for (const job of many(20_000)) store.jobs.set(job.id, job);
    const window = new ReadyWindow('class_1', 'alpha/default');
    store.refill(window);
    expect(window.size).toBe(minRefill);
    expect(window.isComplete).toBe(false);
    for (const job of many(20_000)) window.insert({ ...job, id: `job_9${job.id}` });
    expect(window.size).toBe(minRefill);
    const recentlyIdle = new ReadyWindow('class_1', 'alpha/default');
    new Store().refill(recentlyIdle);
    for (const job of many(20_000)) recentlyIdle.insert(job);
    expect(recentlyIdle.size).toBeLessThanOrEqual(2 * maxRefill);
    expect(recentlyIdle.head?.id).toBe('job_000000');
  });

  it('requests more when it is emptied quickly, and less when it is idle again', () => {
    const store = new Store();
    for (const job of many(30_000)) store.jobs.set(job.id, job);
    const window = new ReadyWindow('class_1', 'alpha/default');
    const sizes: number[] = [];
    for (let round = 0; round < 12; round += 1) {
      store.refill(window);
      sizes.push(window.size);
      while (window.size > 0) window.shift();
    }
    expect(Math.max(...sizes)).toBe(maxRefill);
    window.beginRefill();
    window.endRefill({ after: undefined, limit: 1 }, undefined);
    expect(window.beginRefill().limit).toBe(minRefill);
  });

  it('keeps its jobs consistent with the store if one comes, goes, or changes its priority during a refill', () => {
    const store = new Store();
    for (const job of many(200)) store.jobs.set(job.id, job);
    const window = new ReadyWindow('class_1', 'alpha/default');
    store.refill(window, () => {
      window.insert(aReadyJob('job_000000a', { priority: 5 }));
      window.remove('job_000001');
      window.insert(aReadyJob('job_000002', { priority: 9 }));
      window.insert(aReadyJob('job_000003', { priority: -5 }));
    });
    const served = Array.from({ length: 4 }, () => window.shift()?.id);
    expect(served).toEqual(['job_000002', 'job_000000a', 'job_000000', 'job_000004']);
  });

  it('counts the jobs before a position, within its range', () => {
    const store = new Store();
    for (const job of many(500)) store.jobs.set(job.id, job);
    const window = new ReadyWindow('class_1', 'alpha/default');
    store.refill(window);
    expect(window.countBefore({ priority: 0, id: 'job_000010' })).toBe(10);
    expect(window.countBefore({ priority: 0, id: 'job_000400' })).toBeUndefined();
  });

  it('has the first ready job of the store at its head, for any history', () => {
    const key = fc.record({
      job: fc.integer({ min: 0, max: 400 }),
      priority: fc.integer({ min: -2, max: 2 }),
    });
    const step = fc.oneof(
      { weight: 3, arbitrary: key.map((value) => ({ kind: 'ready' as const, ...value })) },
      { weight: 2, arbitrary: key.map((value) => ({ kind: 'gone' as const, ...value })) },
      { weight: 4, arbitrary: fc.constant({ kind: 'serve' as const }) },
      {
        weight: 1,
        arbitrary: fc.array(key, { maxLength: 4 }).map((during) => ({ kind: 'refill' as const, during })),
      },
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.array(step, { maxLength: 80 }), (count, steps) => {
        const store = new Store();
        for (const job of many(count)) store.jobs.set(job.id, job);
        const window = new ReadyWindow('class_1', 'alpha/default');
        store.refill(window);
        const arrive = ({ job, priority }: { job: number; priority: number }): void => {
          const ready = aReadyJob(`job_${String(job).padStart(6, '0')}`, { priority });
          store.jobs.set(ready.id, ready);
          window.insert(ready);
        };
        for (const one of steps) {
          if (one.kind === 'ready') arrive(one);
          else if (one.kind === 'refill') store.refill(window, () => one.during.forEach(arrive));
          else if (one.kind === 'gone') {
            const id = `job_${String(one.job).padStart(6, '0')}`;
            store.jobs.delete(id);
            window.remove(id);
          } else {
            if (window.size === 0 && !window.isComplete) store.refill(window);
            const [first] = store.sorted();
            const served = window.shift();
            expect(served?.id).toBe(first?.id);
            if (served) store.jobs.delete(served.id);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
