import { describe, expect, it } from '@jest/globals';
import { Cancellation, type ExecutionText } from '@rhizome/federation';
import { SharedReads } from './shared-reads.js';

const answer: ExecutionText = { text: '{"data":{}}', outcome: 'executed', kind: 'query', codes: [] };
const key = (variables: Readonly<Record<string, unknown>> = {}, scope = 'reader') => ({
  document: '{ a }',
  variables,
  scope,
});

/** Executions that end when the test ends them. */
function setUp() {
  const reads = new SharedReads();
  const runs: { readonly cancellation: Cancellation; readonly land: (answer: ExecutionText) => void }[] = [];
  const execute = (cancellation: Cancellation): Promise<ExecutionText> =>
    new Promise((land) => void runs.push({ cancellation, land }));
  const read = (of = key(), end = new Cancellation()) => ({ ...reads.read(of, end, execute), end });
  return { reads, runs, read };
}

describe('SharedReads', () => {
  it('shares reads with equal document, variables and scope only', async () => {
    const { reads, runs, read } = setUp();
    const equal = [read(), read(), read()];
    const others = [read(key({ a: 1 })), read(key({}, 'other'))];
    expect(equal.map(({ shared }) => shared)).toEqual([false, true, true]);
    expect(others.map(({ shared }) => shared)).toEqual([false, false]);
    expect([runs.length, reads.size]).toEqual([3, 3]);
    for (const { land } of runs) land(answer);
    expect(await Promise.all([...equal, ...others].map((one) => one.answer))).toEqual(Array(5).fill(answer));
    expect(reads.size).toBe(0);
  });

  it('ends a read with the last of its readers; later readers start again', async () => {
    const { reads, runs, read } = setUp();
    const [first, second] = [read(), read()];
    first.end.cancel(new Error('gone'));
    await expect(first.answer).rejects.toThrow('gone');
    expect(runs[0]?.cancellation.isCancelled).toBe(false);
    second.end.cancel(new Error('gone, too'));
    await expect(second.answer).rejects.toThrow('gone, too');
    expect([runs[0]?.cancellation.isCancelled, reads.size]).toEqual([true, 0]);
    const third = read();
    expect([third.shared, runs.length]).toEqual([false, 2]);
    // The end of the abandoned one does not affect its successor.
    runs[0]?.land(answer);
    expect(read().shared).toBe(true);
    runs[1]?.land(answer);
    expect(await third.answer).toBe(answer);
  });

  it('accepts no new readers for a read that began before a change', async () => {
    const { reads, runs, read } = setUp();
    const before = read();
    reads.closeToNewReaders();
    const after = read();
    expect([after.shared, read().shared, runs.length]).toEqual([false, true, 2]);
    // The end of the older one does not affect the younger.
    runs[0]?.land(answer);
    expect(await before.answer).toBe(answer);
    expect(read().shared).toBe(true);
    runs[1]?.land(answer);
    expect(await after.answer).toBe(answer);
    expect(reads.size).toBe(0);
  });

  it('leaves a read immediately if the reader has gone already', async () => {
    const { runs, read } = setUp();
    const gone = new Cancellation();
    gone.cancel(new Error('before'));
    await expect(read(key(), gone).answer).rejects.toThrow('before');
    expect(runs.map(({ cancellation }) => cancellation.isCancelled)).toEqual([true]);
  });

  it('never shares reads with too long variables, which end with their reader', async () => {
    const { runs, read } = setUp();
    const long = key({ a: 'x'.repeat(70_000) });
    const [one, two] = [read(long), read(long)];
    expect([one.shared, two.shared, runs.length]).toEqual([false, false, 2]);
    one.end.cancel(new Error('gone'));
    expect(runs.map(({ cancellation }) => cancellation.isCancelled)).toEqual([true, false]);
    runs[1]?.land(answer);
    expect(await two.answer).toBe(answer);
  });
});
