import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import type { TestSystem } from '../testing/test-system.js';
import { useStreamSystem } from '../testing/stream-system.js';
import { next, StreamTestSetup } from '../testing/stream-test-setup.js';
import type { ClientStream } from './client-stream.js';

// Streams of fields that are not `@resumable`: their messages have no cursors.

let system: TestSystem;
let setup: StreamTestSetup;

useStreamSystem(
  (opened) => (system = opened),
  () => setup,
);

const level = 'subscription { level { value } }';
const ticked = 'subscription { ticked { id } }';
const tallied = 'subscription { tallied { value } }';

interface Answer {
  readonly data: Readonly<Record<string, Readonly<Record<string, string | number>>>>;
}

/** The only value of the next message. */
async function value(stream: ClientStream): Promise<string | number | undefined> {
  const { data } = JSON.parse((await next(stream)).text) as Answer;
  return Object.values(Object.values(data)[0] ?? {})[0];
}

async function values(stream: ClientStream, count: number): Promise<unknown[]> {
  const found: unknown[] = [];
  while (found.length < count) found.push(await value(stream));
  return found;
}

describe('a second subscriber of a stream without cursors', () => {
  it('starts with the newest message and gets what follows once and in order', async () => {
    setup = await StreamTestSetup.open(system);
    const first = await setup.subscribe({ query: level });
    const start = Number(await value(first));
    for (let by = 1; by <= 5; by++) {
      system.log.append(`i${by}`);
      expect(await value(first)).toBe(start + by);
    }
    const second = await setup.subscribe({ query: level });
    const third = await setup.subscribe({ query: level });
    for (const stream of [second, third]) expect(await value(stream)).toBe(start + 5);
    for (let by = 6; by <= 8; by++) {
      system.log.append(`j${by}`);
      for (const stream of [first, second, third]) expect(await value(stream)).toBe(start + by);
    }
    expect([system.log.open, setup.counts.upstreams]).toEqual([1, 1]);
  });

  it('gets messages of equal text as often as they occurred', async () => {
    setup = await StreamTestSetup.open(system);
    const first = await setup.subscribe({ query: ticked });
    await waitFor('the upstream', () => system.log.open === 1, { deadlineMs: 60_000 });
    for (const id of ['a', 'a', 'b']) system.log.append(id);
    expect(await values(first, 3)).toEqual(['a', 'a', 'b']);
    const second = await setup.subscribe({ query: ticked });
    for (const id of ['a', 'a', 'b', 'a']) system.log.append(id);
    expect(await values(first, 4)).toEqual(['a', 'a', 'b', 'a']);
    expect(await values(second, 5)).toEqual(['b', 'a', 'a', 'b', 'a']);
  });

  it('opens no upstream: 40 subscribers of 2 streams need 2', async () => {
    setup = await StreamTestSetup.open(system);
    for (const query of [level, ticked]) await setup.subscribe({ query });
    await waitFor('two upstreams', () => system.log.open === 2, { deadlineMs: 60_000 });
    system.log.append('x');
    for (let i = 0; i < 20; i++) {
      for (const query of [level, ticked]) await value(await setup.subscribe({ query }));
    }
    expect([system.log.open, setup.counts.upstreams]).toEqual([2, 2]);
  });

  it('starts with a complete message of its own where messages hold changes only', async () => {
    setup = await StreamTestSetup.open(system);
    const first = await setup.subscribe({ query: tallied });
    const start = Number(await value(first));
    system.log.append('a');
    expect(await value(first)).toBe(1);
    const [second, third] = [
      await setup.subscribe({ query: tallied }),
      await setup.subscribe({ query: tallied }),
    ];
    expect([await value(second), await value(third)]).toEqual([start + 1, start + 1]);
    system.log.append('b');
    for (const stream of [first, second, third]) expect(await value(stream)).toBe(1);
    // Clients that came together read together.
    expect(system.log.open).toBe(2);
  });
});

describe('a reload of the supergraph', () => {
  it('loses and doubles no event of a stream without cursors', async () => {
    setup = await StreamTestSetup.open(system);
    const stream = await setup.subscribe({ query: ticked });
    await waitFor('the upstream', () => system.log.open === 1, { deadlineMs: 60_000 });
    const expected: string[] = [];
    const append = (): void => {
      expected.push(`t${expected.length}`);
      system.log.append(`t${expected.length - 1}`);
    };
    append();
    for (let round = 0; round < 3; round++) {
      const swapped = setup.swap(round % 2 ? 'extra: String' : '');
      const isSwapped = swapped.then(() => true);
      append();
      while (!(await Promise.race([isSwapped, new Promise((resolve) => setImmediate(resolve))]))) append();
      append();
    }
    expect(await values(stream, expected.length)).toEqual(expected);
    expect(system.log.open).toBe(1);
    expect(setup.counts.reopened).toEqual(['moved', 'moved', 'moved']);
  });

  it('gives subscribers of changes a complete message again', async () => {
    setup = await StreamTestSetup.open(system);
    const stream = await setup.subscribe({ query: tallied });
    const start = Number(await value(stream));
    system.log.append('a');
    expect(await value(stream)).toBe(1);
    await setup.swap('extra: String');
    system.log.append('b');
    expect(await values(stream, 2)).toEqual([start + 1, 1]);
  });
});
