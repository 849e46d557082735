import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { systemClock } from '@rhizome/clock';
import type { TransitionGroup } from './transition-group.js';
import { GroupingTransitionWriter } from './transition-writer.js';
import type { TransitionRequest } from './transition.types.js';

/** A store whose writes end when the test says so; each takes all of its jobs. */
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

/** Lets the writer's timers of a few milliseconds and all that follows run. */
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

describe('groups of transitions', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  test('what comes in one turn is one write, and it does not wait for anybody', async () => {
    jest.useFakeTimers();
    const store = new Store();
    const writer = writerOn(store);
    void writer.apply(starts(2));
    void writer.apply(starts(3));
    await pass(0);
    expect(store.sizes).toEqual([5]);
  });

  test('small groups grow while one of their kind is written, and go when it ends', async () => {
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

  test('a small group that follows another closely gathers for a moment', async () => {
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

  test('a group of another kind does not wait, nor does one that is worth a write of its own', async () => {
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

  test('a small group waits no longer than a moment for a write that hangs', async () => {
    jest.useFakeTimers();
    const store = new Store();
    const writer = writerOn(store);
    void writer.apply(starts(1));
    await pass(0);
    void writer.apply(starts(1));
    await pass(60);
    expect(store.sizes).toEqual([1, 1]);
  });

  test('no more writes than may be are under way at once', async () => {
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

  test('closing writes at once what waits', async () => {
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
