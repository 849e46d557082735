import { afterEach, describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import type { TestSystem } from '../testing/test-system.js';
import { useStreamSystem } from '../testing/stream-system.js';
import { human, next, readTo, StreamTestSetup } from '../testing/stream-test-setup.js';
import type { ClientStream } from './client-stream.js';
import type { StreamEvent } from './types.js';

/** The event of this field is complete: nothing is fetched for it. */
const whole =
  'subscription ($after: String, $name: String) { itemChanged(after: $after, name: $name) { cursor item { id } } }';
const named = (name: string): string =>
  whole.replace('name: $name', `name: "${name}"`).replace(', $name: String', '');

let system: TestSystem;
let setup: StreamTestSetup;

afterEach(() => void (system.log.isOver = false));
useStreamSystem(
  (opened) => (system = opened),
  () => setup,
);

/** A client that takes events directly, up to its capacity. */
class ListeningClient {
  readonly events: StreamEvent[] = [];
  readonly #stream: ClientStream;
  isEnded = false;
  capacity = Infinity;

  constructor(stream: ClientStream) {
    this.#stream = stream;
    stream.listen(this);
  }

  event(event: StreamEvent): boolean {
    this.events.push(event);
    this.capacity -= 1;
    return this.capacity > 0;
  }

  end(): void {
    expect(this.isEnded).toBe(false);
    this.isEnded = true;
  }

  resume(capacity = Infinity): void {
    this.capacity = capacity;
    this.#stream.resume();
  }

  get cursors(): (string | undefined)[] {
    return this.events.map(({ cursor }) => cursor);
  }
}

async function listen(
  options: Parameters<StreamTestSetup['subscribe']>[0] = { query: whole },
): Promise<ListeningClient> {
  const found = new ListeningClient(await setup.subscribe(options));
  await waitFor('the opening message', () => found.events.length === 1, { deadlineMs: 1000 });
  return found;
}

/** Cursors of read entries, each `cursor id`. */
function cursorsOf(read: readonly string[]): (string | undefined)[] {
  return read.map((text) => text.split(' ')[0]);
}

function appendMany(count: number): string[] {
  return Array.from({ length: count }, (_, at) => system.log.append(`i${at}`));
}

describe('an event without fetches', () => {
  it('reaches its clients before the call that brought it returns', async () => {
    setup = await StreamTestSetup.open(system);
    const one = await listen();
    const cursors = appendMany(3);
    expect(one.cursors.slice(1)).toEqual(cursors);
  });

  it('is executed and written once for upstreams that differ only in the arguments of the field', async () => {
    setup = await StreamTestSetup.open(system);
    const engine = setup.holder.current;
    const prepared = await engine.prepare({ query: whole, requestId: 'r' });
    if (!prepared.ok) throw new Error(prepared.answer.text);
    const streams = Array.from({ length: 10 }, (_, at) => {
      const variables = { name: `n${at % 5}` };
      const { operation } = prepared;
      return setup.hub.subscribe({
        engine,
        operation,
        variables,
        principal: human(`u${at}`),
        requestId: 'r',
      });
    });
    const clients = streams.map((stream) => new ListeningClient(stream));
    await waitFor('the opening messages', () => clients.every(({ events }) => events.length === 1), {
      deadlineMs: 1000,
    });
    expect(system.log.open).toBe(5);
    const before = system.calls.get('itemChanged') ?? 0;
    system.log.append('shared');
    expect((system.calls.get('itemChanged') ?? 0) - before).toBe(1);
    expect(new Set(clients.map(({ events }) => events[1])).size).toBe(1);
    expect(clients[0]?.events[1]?.text).toContain('"id":"shared"');
    for (const stream of streams) await stream.return();
  });

  it('is executed separately for other permissions, or if the caller matters', async () => {
    setup = await StreamTestSetup.open(system);
    const query = 'subscription { itemChanged { cursor item { id seenBy } } }';
    const [a, b] = [
      await listen({ query, principal: human('a') }),
      await listen({ query, principal: human('b') }),
    ];
    const other = await listen({ query: named('x'), principal: testPrincipal({ grants: { beta: 'USER' } }) });
    const same = await listen({ query: named('x'), principal: human('c') });
    const before = system.calls.get('itemChanged') ?? 0;
    system.log.append('i');
    expect((system.calls.get('itemChanged') ?? 0) - before).toBe(4);
    expect([a.events[1]?.text, b.events[1]?.text]).toEqual([
      expect.stringContaining('"seenBy":"a"'),
      expect.stringContaining('"seenBy":"b"'),
    ]);
    expect([other.events[1]?.text, same.events[1]?.text]).toEqual([
      expect.stringContaining('"id":"i"'),
      expect.stringContaining('"id":"i"'),
    ]);
  });

  it('waits in order for a paused client, at no cost to the others', async () => {
    setup = await StreamTestSetup.open(system);
    const [slow, quick] = [await listen(), await listen()];
    slow.capacity = 1;
    const cursors = appendMany(20);
    expect(quick.cursors.slice(1)).toEqual(cursors);
    expect(slow.cursors.slice(1)).toEqual(cursors.slice(0, 1));
    slow.resume(5);
    expect(slow.cursors.slice(1)).toEqual(cursors.slice(0, 6));
    slow.resume();
    expect(slow.cursors.slice(1)).toEqual(cursors);
    cursors.push(...appendMany(1));
    expect([slow.cursors.slice(1), quick.cursors.slice(1)]).toEqual([cursors, cursors]);
  });

  it('ends the stream of a client that was away with the cursor to continue from, once it falls off the buffer', async () => {
    setup = await StreamTestSetup.open(system, { bufferedEvents: 10 });
    const [slow, quick] = [await listen(), await listen()];
    slow.capacity = 1;
    const cursors = appendMany(30);
    slow.resume();
    const [last] = slow.events.slice(-1);
    expect([last?.last, last?.codes, slow.isEnded]).toEqual([true, ['SUBSCRIPTION_LAGGED'], true]);
    const cursor = slow.cursors[1];
    expect(last?.text).toContain(`"cursor":"${cursor}"`);
    const back = await setup.subscribe({ query: whole, after: cursor ?? '' });
    expect(cursorsOf(await readTo(back, 'i29'))).toEqual(cursors.slice(1));
    expect(quick.cursors.slice(1)).toEqual(cursors);
  });

  it('is replayed to a client that wants the newest state, whose stream never ends', async () => {
    setup = await StreamTestSetup.open(system, { bufferedEvents: 10 });
    const latest = whole.replace('name: $name', 'mode: LATEST').replace(', $name: String', '');
    const slow = await listen({ query: latest });
    const quick = await listen({ query: latest });
    slow.capacity = 1;
    const cursors = appendMany(30);
    slow.resume(5);
    await waitFor('the replayed events', () => slow.events.length === 7, { deadlineMs: 2000 });
    cursors.push(...appendMany(500));
    slow.resume();
    await waitFor('all of it', () => slow.cursors.at(-1) === cursors.at(-1), { deadlineMs: 2000 });
    cursors.push(...appendMany(2));
    expect([slow.cursors.slice(1), quick.cursors.slice(1)]).toEqual([cursors, cursors]);
    expect([slow.isEnded, slow.events.some(({ last }) => last)]).toEqual([false, false]);
    // A client that has caught up reads from the common buffer again, and no upstream reads for it alone.
    await waitFor('one upstream', () => system.log.open === 1, { deadlineMs: 1000 });
  });

  it('comes once and in order over a swap of the supergraph, a break and an end upstream', async () => {
    setup = await StreamTestSetup.open(system);
    const one = await listen();
    const cursors = appendMany(3);
    await setup.swap('more: String');
    cursors.push(...appendMany(3));
    await waitFor('what came during the swap', () => one.events.length === 7, { deadlineMs: 2000 });
    system.log.breakAll(new Error('broken'));
    cursors.push(...appendMany(3));
    await waitFor('what came during the break', () => one.events.length === 10, { deadlineMs: 5000 });
    system.log.endAll();
    cursors.push(...appendMany(3));
    await waitFor('what came after the end', () => one.events.length === 13, { deadlineMs: 5000 });
    expect(one.cursors.slice(1)).toEqual(cursors);
    expect(one.isEnded).toBe(false);
  });

  it('reaches pulling and listening clients alike', async () => {
    setup = await StreamTestSetup.open(system);
    const asking = await setup.subscribe({ query: whole });
    await next(asking);
    const listening = await listen();
    const cursors = appendMany(5);
    const read = await readTo(asking, 'i4');
    expect(cursorsOf(read)).toEqual(cursors);
    expect(listening.cursors.slice(1)).toEqual(cursors);
  });

  it('notifies a client that leaves of the end once and of nothing after it', async () => {
    setup = await StreamTestSetup.open(system);
    const stream = await setup.subscribe({ query: whole });
    const one = new ListeningClient(stream);
    await waitFor('the opening message', () => one.events.length === 1, { deadlineMs: 1000 });
    await stream.return();
    appendMany(2);
    expect([one.isEnded, one.events.length]).toEqual([true, 1]);
  });
});
