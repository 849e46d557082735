import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { leftovers, waitFor } from '@rhizome/testkit';
import { EventReader } from './testing/event-reader.js';
import { type TestSystem, startTestSystem } from './testing/test-system.js';
import { post } from './testing/post.js';
import { RawSocket } from './testing/raw-socket.js';
import { Watcher } from './testing/watcher.js';

// A whole gateway that gets another supergraph while it is in use, with real sockets and a token per client.

const withLabel = 'subscription ($after: String) { itemChanged(after: $after) { cursor item { id label } } }';
const withName = 'subscription { itemChanged { cursor item { id name } } }';
const withExtra = 'subscription { itemChanged { cursor item { extra } } }';
const extraField = 'extra: String';

let system: TestSystem;

beforeAll(async () => {
  system = await startTestSystem({ planning: 'worker' });
});

afterAll(() => system.served.close());

type Queries = Parameters<typeof Watcher.open>[2];

/** Clients with a token each. */
function watchers(count: number, queries: Queries | ((i: number) => Queries)): Promise<Watcher[]> {
  const open = async (_: unknown, i: number): Promise<Watcher> => {
    const headers = await system.bearer(await system.tokens.reader('beta', `watcher-${i}`));
    const watcher = await Watcher.open(
      system.served.wsUrl,
      headers,
      typeof queries === 'function' ? queries(i) : queries,
    );
    leftovers.defer('a watcher', () => watcher.drop());
    return watcher;
  };
  return Promise.all(Array.from({ length: count }, open));
}

/** Runs queries, and mutations that each wait for their event, until stopped. Collects wrong responses. */
class Load {
  readonly faults: string[] = [];
  queries = 0;
  mutations = 0;
  #isOver = false;
  readonly #lanes: Promise<unknown>;

  constructor(headers: Record<string, string>, canary: Watcher) {
    const { url } = system.served;
    const lane = async (work: () => Promise<void>): Promise<void> => {
      while (!this.#isOver) await work();
    };
    const ask = async (): Promise<void> => {
      const { text } = await post(url, '{ items { id name label } }', headers);
      if (!text.startsWith('{"data":{"items":[{"id":"a",')) this.faults.push(text);
      this.queries++;
    };
    const change = async (): Promise<void> => {
      const id = `load-${this.mutations++}`;
      const { body, text } = await post(url, `mutation { touchItem(id: "${id}") { id } }`, headers);
      if (JSON.stringify(body.data) !== `{"touchItem":{"id":"${id}"}}`) this.faults.push(text);
      const seen = canary.streams[0]?.cursors ?? [];
      const cursor = Number(system.log.cursor.slice(1));
      await waitFor('the event of a mutation', () => Number(seen.at(-1)?.slice(1)) >= cursor, {
        deadlineMs: 10_000,
      });
    };
    this.#lanes = Promise.all([lane(ask), lane(ask), lane(change)]);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#lanes;
  }
}

/** True if the cursors are those of the log, each once and in order, from the first on. */
function isUnbroken(cursors: readonly string[]): boolean {
  const first = Number(cursors[0]?.slice(1));
  return cursors.every((cursor, i) => cursor === `c${first + i}`);
}

describe('a stream for clients with their own tokens', () => {
  it('needs one upstream at equal permissions, joined by resumers at 1,000 cursors, and ends with its last client', async () => {
    const from = Number(system.log.cursor.slice(1));
    for (let i = 0; i < 1000; i++) system.log.append(`gap-${i}`);
    const opened = system.log.opened;
    const sockets = await watchers(1000, [{ query: withLabel }]);
    expect(system.log.opened - opened).toBe(1);
    const resumers = await watchers(100, (i) =>
      Array.from({ length: 10 }, (_, k) => ({
        query: withLabel,
        variables: { after: `c${from + 10 * i + k}` },
      })),
    );
    // Resumers join the replays of others. How many replays run depends on the machine; `bench -- live`
    // counts them.
    expect(system.log.opened - opened).toBeLessThan(1000);
    const last = system.log.append('for all');
    const all = [...sockets, ...resumers];
    await waitFor('the last event everywhere', () => all.every((socket) => socket.hasSeen(last)), {
      deadlineMs: 30_000,
    });
    await waitFor('one upstream', () => system.log.open === 1, { deadlineMs: 5000 });
    const streams = resumers.flatMap((socket) => socket.streams);
    expect(streams.map(({ cursors }) => cursors[0])).toEqual(streams.map((_, i) => `c${from + i + 1}`));
    expect(streams.every(({ cursors }) => isUnbroken(cursors))).toBe(true);
    all.slice(1).forEach((socket) => socket.drop());
    const alone = system.log.append('for one');
    await waitFor('the event', () => all[0]?.hasSeen(alone), { deadlineMs: 5000 });
    expect(system.log.open).toBe(1);
    all[0]?.drop();
    await waitFor('the end of the upstream', () => system.log.open === 0, { deadlineMs: 5000 });
  });

  it('shares events and never sends those for other principals', async () => {
    const query = 'subscription { itemChanged { cursor item { id seenBy } } }';
    const names = Array.from({ length: 50 }, (_, i) => `person-${i}`);
    const sockets = await Promise.all(
      names.map(async (name) => {
        const socket = await RawSocket.ready(
          system.served.wsUrl,
          await system.bearer(await system.tokens.reader('beta', name)),
        );
        socket.subscribe('1', query);
        await socket.next('next');
        return socket;
      }),
    );
    expect(system.log.open).toBe(names.length);
    system.log.append('private');
    const seen = await Promise.all(sockets.map(async (socket) => (await socket.next('next')).payload));
    expect(seen).toEqual(
      names.map((seenBy) => ({
        data: { itemChanged: { cursor: system.log.cursor, item: { id: 'private', seenBy } } },
      })),
    );
    sockets.forEach((socket) => socket.drop());
    await waitFor('the end of the upstreams', () => system.log.open === 0, { deadlineMs: 5000 });
  });
});

describe('a new supergraph under load', () => {
  it('keeps 1,000 streams open with each event once, and completes running operations on the old graph', async () => {
    const before = system.log.cursor;
    system.log.append('before');
    const sockets = await watchers(200, [
      { query: withLabel },
      { query: withName },
      { query: withLabel },
      { query: withName },
      { query: withLabel, variables: { after: before } },
    ]);
    const headers = await system.bearer();
    const events = await EventReader.post(system.served.url, withName, headers);
    await events.event();
    const [canary] = sockets as [Watcher];
    const load = new Load(headers, canary);
    for (let round = 0; round < 6; round++) {
      const running =
        round % 2 === 1 ? post(system.served.url, '{ slow items { extra } }', headers) : undefined;
      if (running)
        await waitFor('the call', () => system.slow.waiting > Math.floor(round / 2), { deadlineMs: 5000 });
      const swapped = system.gateway.swap(system.supergraph(round % 2 === 0 ? extraField : ''));
      if (running) {
        await waitFor('the new graph', isServedWithout('extra', headers), { deadlineMs: 10_000 });
        system.finishSlow();
        expect((await running).body.data).toEqual({ slow: 'done', items: Array(3).fill({ extra: 'more' }) });
      }
      await swapped;
    }
    await load.end();
    const last = system.log.append('end');
    await waitFor('the last event everywhere', () => sockets.every((socket) => socket.hasSeen(last)), {
      deadlineMs: 20_000,
    });
    const streams = sockets.flatMap((socket) => socket.streams);
    expect(streams).toHaveLength(1000);
    expect(streams.filter(({ ended }) => ended !== undefined)).toEqual([]);
    expect(streams.filter(({ cursors }) => !isUnbroken(cursors))).toEqual([]);
    expect(sockets.every(({ isOpen }) => isOpen)).toBe(true);
    expect(await cursorsTo(events, last)).toBe(true);
    expect(load.faults).toEqual([]);
    expect(load.mutations).toBe(Number(last.slice(1)) - Number(before.slice(1)) - 2);
    process.stderr.write(
      `measured: ${load.queries} queries and ${load.mutations} mutations during six swaps\n`,
    );
    expect(load.queries).toBeGreaterThan(6);
    expect(load.mutations).toBeGreaterThan(6);
    events.leave();
    sockets.forEach((socket) => socket.drop());
    await waitFor('the end of the upstreams', () => system.log.open === 0, { deadlineMs: 5000 });
  });

  it('ends streams of removed fields with a code, a reason and their cursor; other streams on the socket continue', async () => {
    await system.gateway.swap(system.supergraph(extraField));
    const sockets = await watchers(20, [{ query: withExtra }, { query: withName }]);
    const cursor = system.log.append('before');
    await waitFor('the event', () => sockets.every((socket) => socket.hasSeen(cursor)), { deadlineMs: 5000 });
    await system.gateway.swap(system.supergraph());
    const first = sockets.map(({ streams }) => streams[0]);
    await waitFor('the ends', () => first.every((stream) => stream?.ended !== undefined), {
      deadlineMs: 5000,
    });
    for (const stream of first) {
      expect(stream?.ended).toEqual([
        expect.objectContaining({
          message: expect.stringContaining('Cannot query field "extra" on type "Item"'),
          extensions: expect.objectContaining({ code: 'SUBSCRIPTION_WITHDRAWN', cursor }),
        }),
      ]);
    }
    const after = system.log.append('after');
    const others = sockets.map(({ streams }) => streams[1]);
    await waitFor('the next event', () => others.every((stream) => stream?.cursors.at(-1) === after), {
      deadlineMs: 5000,
    });
    sockets.forEach((socket) => socket.drop());
  });
});

function isServedWithout(field: string, headers: Record<string, string>): () => Promise<boolean> {
  return async () =>
    (await post(system.served.url, `{ items { ${field} } }`, headers)).body.errors !== undefined;
}

/** Reads an event stream up to a cursor; returns true if its ids have no gap. */
async function cursorsTo(events: EventReader, last: string): Promise<boolean> {
  const seen: string[] = [];
  while (seen.at(-1) !== last) {
    const id = /^id: (.*)$/m.exec((await events.event()) ?? '')?.[1];
    if (id === undefined) return false;
    seen.push(id);
  }
  return isUnbroken(seen);
}
