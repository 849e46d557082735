import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { systemClock } from '@rhizome/clock';
import type { TransitionGroup } from './transition-group.types.js';
import { GroupingTransitionWriter } from './transition-writer.js';
import type { TransitionRequest } from './transition.types.js';

/** Store whose writes end when the test decides; each succeeds for all of its jobs. */
class Store {
  readonly written: TransitionGroup[] = [];
  readonly #open: (() => void)[] = [];

  readonly write = (group: TransitionGroup): Promise<number> => {
    this.written.push(group);
    return new Promise((resolve) => this.#open.push(() => resolve(group.requests.length)));
  };

  readonly read = () => Promise.resolve(new Map());

  /** Sizes of the groups so far. */
  get sizes(): number[] {
    return this.written.map(({ requests }) => requests.length);
  }

  end(): void {
    this.#open.shift()?.();
  }
}

let serial = 0;
const starts = (count: number): TransitionRequest[] =>
  Array.from({ length: count }, () => ({
    jobId: `job_${(serial += 1)}`,
    from: 'SENT',
    to: 'RUNNING',
    by: 'worker',
    actor: 'pilot:main',
    fence: serial,
  }));
const ends = (count: number): TransitionRequest[] =>
  starts(count).map((request) => ({ ...request, from: 'RUNNING', to: 'FINISHED' }));

function writerOn(
  store: Store,
  options: { concurrency?: number; gatherMs?: number } = {},
): GroupingTransitionWriter {
  return new GroupingTransitionWriter({
    store,
    clock: systemClock,
    log: silentLogger(),
    delayMs: 1,
    worthwhile: 10,
    gatherMs: 0,
    ...options,
  });
}

/** Runs the writer's timers of a few milliseconds and everything that follows from them. */
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

describe('GroupingTransitionWriter', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('writes the requests of one event loop turn at once and together', async () => {
    jest.useFakeTimers();
    const store = new Store();
    const writer = writerOn(store);
    void writer.apply(starts(2));
    void writer.apply(starts(3));
    await pass(0);
    expect(store.sizes).toEqual([5]);
  });

  it('collects small groups during a write of the same kind and writes them when it ends', async () => {
    jest.useFakeTimers();
    const store = new Store();
    const writer = writerOn(store);
    void writer.apply(starts(1));
    await pass(0);
    void writer.apply(starts(1));
    await pass(5);
    const last = writer.apply(starts(2));
    await pass(5);
    expect(store.sizes).toEqual([1]);
    store.end();
    await pass(0);
    expect(store.sizes).toEqual([1, 3]);
    store.end();
    expect((await last).map(({ applied }) => applied)).toEqual([true, true]);
  });

  it('collects a small group briefly if it closely follows another', async () => {
    jest.useFakeTimers();
    const store = new Store();
    const writer = writerOn(store, { gatherMs: 15 });
    void writer.apply(starts(1));
    await pass(0);
    store.end();
    await pass(5);
    void writer.apply(starts(1));
    await pass(5);
    void writer.apply(starts(1));
    await pass(3);
    expect(store.sizes).toEqual([1]);
    await pass(3);
    expect(store.sizes).toEqual([1, 2]);
    store.end();
    await pass(20);
    void writer.apply(starts(1));
    await pass(0);
    expect(store.sizes).toEqual([1, 2, 1]);
  });

  it('does not delay a group of another kind or a large group', async () => {
    jest.useFakeTimers();
    const store = new Store();
    const writer = writerOn(store);
    void writer.apply(starts(1));
    await pass(0);
    void writer.apply(ends(1));
    await pass(5);
    void writer.apply(starts(10));
    await pass(5);
    expect(store.sizes).toEqual([1, 1, 10]);
  });

  it('delays a small group only briefly if a write hangs', async () => {
    jest.useFakeTimers();
    const store = new Store();
    const writer = writerOn(store);
    void writer.apply(starts(1));
    await pass(0);
    void writer.apply(starts(1));
    await pass(60);
    expect(store.sizes).toEqual([1, 1]);
  });

  it('limits the number of concurrent writes', async () => {
    jest.useFakeTimers();
    const store = new Store();
    const writer = writerOn(store, { concurrency: 2 });
    for (let i = 0; i < 4; i += 1) {
      void writer.apply(starts(10));
      await pass(5);
    }
    expect(store.sizes).toEqual([10, 10]);
    store.end();
    await pass(0);
    expect(store.sizes).toEqual([10, 10, 20]);
  });

  it('writes pending requests at once on close', async () => {
    jest.useFakeTimers();
    const store = new Store();
    const writer = writerOn(store);
    void writer.apply(starts(1));
    await pass(0);
    void writer.apply(starts(1));
    await pass(5);
    const closed = writer.close();
    await pass(0);
    expect(store.sizes).toEqual([1, 1]);
    store.end();
    store.end();
    await closed;
  });
});
