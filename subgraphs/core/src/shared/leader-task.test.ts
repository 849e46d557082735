import { describe, expect, it, jest } from '@jest/globals';
import { LeaderTask, type LeaderWork } from './leader-task.js';

/** A leader whose terms the test begins. */
class Terms implements LeaderWork {
  #work: ((signal: AbortSignal) => void) | undefined;
  #term = new AbortController();

  onGained(work: (signal: AbortSignal) => void): () => void {
    this.#work = work;
    return () => (this.#work = undefined);
  }

  begin(): void {
    this.#term = new AbortController();
    this.#work?.(this.#term.signal);
  }

  end(): void {
    this.#term.abort();
  }
}

/** Work that reports each of its runs, and fails in the first ones. */
function failingWork(failures: number) {
  const begun: (() => void)[] = [];
  let runs = 0;
  const untilRun = (wanted: number): Promise<void> =>
    runs >= wanted ? Promise.resolve() : new Promise((resolve) => (begun[wanted] = resolve));
  const work = (signal: AbortSignal): Promise<void> => {
    runs += 1;
    begun[runs]?.();
    if (runs <= failures) return Promise.reject(new Error(`failure ${runs}`));
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  };
  return { work, untilRun, runs: () => runs };
}

describe('LeaderTask', () => {
  it('runs failed work again in the same term, and logs each error', async () => {
    const [terms, log] = [new Terms(), { error: jest.fn() }];
    const { work, untilRun } = failingWork(2);
    const task = new LeaderTask(terms, work, log, 1);
    task.start();
    terms.begin();
    await untilRun(3);
    expect(log.error.mock.calls).toEqual([
      [{ err: new Error('failure 1') }, 'work of the leader failed'],
      [{ err: new Error('failure 2') }, 'work of the leader failed'],
    ]);
    await task.stop();
  });

  it('works in the next term after work that failed at the end of the one before', async () => {
    const [terms, log] = [new Terms(), { error: jest.fn() }];
    const { work, untilRun, runs } = failingWork(1);
    const task = new LeaderTask(terms, work, log, 60_000);
    task.start();
    terms.begin();
    await untilRun(1);
    terms.end();
    terms.begin();
    await untilRun(2);
    await task.stop();
    expect(runs()).toBe(2);
  });
});
