import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { isDomainError } from '@rhizome/errors';
import { type TestDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import { ChangeFeed } from './change-feed.repository.js';
import { encodeCursor } from './cursor.js';
import { eventsDatabase, startEvents, TestJobs } from './events.fixture.js';
import type { EventsService } from './events.service.js';
import type { JobStateChange } from './job-changes.js';

const admin = testPrincipal();

/** One subscriber: what it was told, in order. */
class Told {
  readonly changes: JobStateChange[] = [];
  readonly #abort = new AbortController();
  readonly ended: Promise<unknown>;

  constructor(
    events: EventsService,
    filter: Parameters<EventsService['jobStateChanged']>[0] = {},
    after?: string,
    principal = admin,
  ) {
    const stream = events.jobStateChanged(filter, after, principal, this.#abort.signal);
    this.ended = this.#read(stream).then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  get lines(): string[] {
    return this.changes.flatMap(({ event }) =>
      event ? [`${event.jobId} ${event.last.from} ${event.last.to}`] : [],
    );
  }

  get cursor(): string {
    return encodeCursor(this.changes.at(-1)?.token ?? '');
  }

  /** Waits until so many events came beside the opening message. */
  async until(count: number): Promise<void> {
    await waitFor(`${count} events`, () => this.lines.length >= count, { deadlineMs: 5000 });
  }

  /** Waits for the first message. */
  async opened(): Promise<this> {
    await waitFor('the opening message', () => this.changes.length > 0, { deadlineMs: 3000 });
    return this;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.ended;
  }

  async #read(stream: AsyncIterable<JobStateChange>): Promise<void> {
    for await (const change of stream) this.changes.push(change);
  }
}

let db: TestDatabase;
let jobs: TestJobs;
let told: Told[] = [];

function tell(...parameters: ConstructorParameters<typeof Told>): Told {
  const subscriber = new Told(...parameters);
  told.push(subscriber);
  return subscriber;
}

beforeEach(async () => {
  db = await eventsDatabase();
  jobs = new TestJobs(db);
  told = [];
});

afterEach(async () => {
  await Promise.all(told.map((subscriber) => subscriber.close()));
  await jobs.close();
});

jest.setTimeout(60_000);

describe('a subscriber', () => {
  test('is told the cursor alone first, then each transition in order, with what the event knows', async () => {
    const { events, stop } = await startEvents(db);
    const all = await tell(events).opened();
    expect(all.changes[0]?.event).toBeNull();
    const [id = ''] = await jobs.submit(1, { labels: [{ key: 'a', value: 'b' }] });
    await jobs.run([id]);
    await all.until(4);
    expect(all.lines).toEqual([
      `${id} null ACTIVATED`,
      `${id} ACTIVATED SENT`,
      `${id} SENT RUNNING`,
      `${id} RUNNING FINISHED`,
    ]);
    expect(all.changes.map(({ event }) => event?.last.revision)).toEqual([undefined, 1, 2, 3, 4]);
    expect(all.changes[2]?.event?.last).toMatchObject({
      queue: 'north',
      attempt: 1,
      share: 'alpha/default',
      labels: ['a=b'],
      workerId: 'worker_1',
    });
    await stop();
  });

  test('is told only what its filter names', async () => {
    const { events, stop } = await startEvents(db);
    const [first = '', second = ''] = await jobs.submit(2, {
      share: 'alpha/fast',
      owner: 'one@example',
      task: { id: 'task_1', index: 0 },
    });
    const [other = ''] = await jobs.submit(1, {
      experiment: 'beta',
      share: 'beta/default',
      labels: [{ key: 'kind', value: 'test' }],
    });
    await waitFor('counts', () => events.counts.jobs.sum(() => true) === 3, { deadlineMs: 3000 });
    const filters: [Parameters<EventsService['jobStateChanged']>[0], string[]][] = [
      [{ jobIds: [first] }, [`${first} ACTIVATED SENT`, `${first} SENT RUNNING`]],
      [{ taskId: 'task_1', states: ['RUNNING'] }, [`${first} SENT RUNNING`]],
      [{ experiments: ['beta'] }, [`${other} ACTIVATED CANCELLED`]],
      [
        {
          labels: [
            { key: 'kind', value: 'test' },
            { key: 'kind', value: 'other' },
          ],
        },
        [`${other} ACTIVATED CANCELLED`],
      ],
      [{ queue: 'south' }, [`${first} ACTIVATED SENT`, `${first} SENT RUNNING`]],
      [{ share: 'alpha/fast', states: ['CANCELLED'] }, [`${second} ACTIVATED CANCELLED`]],
      [{ owner: 'one@example', states: ['SENT'] }, [`${first} ACTIVATED SENT`]],
    ];
    const subscribers = await Promise.all(filters.map(([filter]) => tell(events, filter).opened()));
    await jobs.move([first], 'ACTIVATED', 'SENT', {}, 'south');
    await jobs.move([first], 'SENT', 'RUNNING');
    await jobs.move([second], 'ACTIVATED', 'CANCELLED');
    await jobs.move([other], 'ACTIVATED', 'CANCELLED');
    await subscribers[2]?.until(1);
    expect(subscribers.map(({ lines }) => lines)).toEqual(filters.map(([, lines]) => lines));
    await stop();
  });

  test('is never told what it may not see, live, from the ring, or from the store', async () => {
    const reader = testPrincipal({ subject: 'reader@example', grants: { beta: 'READER' } });
    const first = await startEvents(db, { ringSize: 4 });
    const opening = (await tell(first.events, {}, undefined, reader).opened()).cursor;
    const live = tell(first.events, {}, opening, reader);
    const hidden = await jobs.submit(10);
    const [visible = ''] = await jobs.submit(1, { experiment: 'beta', share: 'beta/default' });
    await live.until(1);
    const resumed = tell(first.events, {}, opening, reader);
    await resumed.until(1);
    const narrowed = tell(first.events, { jobIds: [...hidden, visible] }, opening, reader);
    await narrowed.until(1);
    for (const subscriber of [live, resumed, narrowed])
      expect(subscriber.lines).toEqual([`${visible} null ACTIVATED`]);
    const refused = tell(first.events, { experiments: ['alpha'] }, undefined, reader);
    expect(await refused.ended).toMatchObject({ code: 'FORBIDDEN' });
    await first.stop();
  });
});

describe('a cursor', () => {
  test('goes on from the ring, and beyond it from the store, and after a restart, without gap or double', async () => {
    const first = await startEvents(db, { ringSize: 50 });
    const all = await tell(first.events).opened();
    const start = all.cursor;
    const ids = await jobs.submit(100);
    await jobs.move(ids, 'ACTIVATED', 'CANCELLED');
    await all.until(200);
    const middle = encodeCursor(all.changes[180]?.token ?? '');
    const fromRing = tell(first.events, {}, middle);
    const fromStore = tell(first.events, {}, start);
    await fromRing.until(20);
    await fromStore.until(200);
    expect(fromRing.lines).toEqual(all.lines.slice(180));
    expect(fromStore.lines).toEqual(all.lines);
    await first.stop();
    const second = await startEvents(db, { ringSize: 50 });
    const restarted = tell(second.events, {}, middle);
    await restarted.until(20);
    await jobs.submit(1);
    await restarted.until(21);
    expect(restarted.lines.slice(0, 20)).toEqual(all.lines.slice(180));
    await second.stop();
  });

  test('is handed over from the store to the ring to live while jobs move, without gap or double', async () => {
    const { events, stop } = await startEvents(db, { ringSize: 200, bufferSize: 20 });
    const start = (await tell(events).opened()).cursor;
    const moved: string[] = [];
    const load = (async () => {
      for (let round = 0; round < 40; round++) {
        const ids = await jobs.submit(20);
        moved.push(...ids);
        await jobs.move(ids, 'ACTIVATED', 'CANCELLED');
      }
    })();
    const subscribers: Told[] = [];
    while (moved.length < 700) {
      const filter = subscribers.length % 2 === 0 ? {} : { states: ['CANCELLED' as const] };
      subscribers.push(tell(events, filter, start));
      await waitFor('some progress', () => moved.length >= subscribers.length * 80, { deadlineMs: 10_000 });
    }
    await load;
    expect(subscribers.length).toBeGreaterThan(4);
    for (const [index, subscriber] of subscribers.entries()) {
      await subscriber.until(index % 2 === 0 ? 1600 : 800);
      const ends = subscriber.lines
        .filter((line) => line.endsWith('CANCELLED'))
        .map((line) => line.split(' ')[0]);
      expect(subscriber.lines).toHaveLength(index % 2 === 0 ? 1600 : 800);
      expect(new Set(ends)).toEqual(new Set(moved));
    }
    await stop();
  });

  test('got while other documents were written is as good as any', async () => {
    const { events, stop } = await startEvents(db);
    const queues = db.collection<{ _id: string }>('queues');
    const cursors: string[] = [];
    for (let round = 0; round < 3; round++) {
      await queues.insertOne({ _id: `queue_${round}` });
      cursors.push((await tell(events).opened()).cursor);
    }
    const ids = await jobs.submit(1);
    await stop();
    const again = await startEvents(db);
    for (const cursor of cursors) {
      const resumed = tell(again.events, {}, cursor);
      await resumed.until(1);
      expect(resumed.lines).toEqual([`${ids[0]} null ACTIVATED`]);
    }
    await again.stop();
  });

  const soon = Math.floor(Date.now() / 1000)
    .toString(16)
    .toUpperCase();
  const texts = ['82'.repeat(40), `82${soon}00000001${'00'.repeat(20)}`, `82${soon}000000012B022C0100FF`].map(
    (hex) => `e1.${Buffer.from(hex, 'hex').toString('base64url')}`,
  );
  test.each(['', 'x', 'e1.', 'e1.AAAA', 'e1.***', ...texts])(
    '%p is refused as none of this stream',
    async (junk) => {
      const { events, stop } = await startEvents(db);
      const error = await tell(events, {}, junk).ended;
      expect(isDomainError(error) && error.code).toBe('CURSOR_INVALID');
      expect(String(error)).toContain('after:');
      await stop();
    },
  );

  test('of another process that has read further waits for this one, and doubles nothing', async () => {
    const [one, two] = await Promise.all([startEvents(db), startEvents(db)]);
    const watcher = await tell(one.events).opened();
    const [id = ''] = await jobs.submit(1);
    await watcher.until(1);
    const elsewhere = tell(two.events, {}, watcher.cursor);
    await jobs.move([id], 'ACTIVATED', 'CANCELLED');
    await elsewhere.until(1);
    expect(elsewhere.lines).toEqual([`${id} ACTIVATED CANCELLED`]);
    await one.stop();
    await two.stop();
  });
});

describe('many who come back at once', () => {
  test('share a few readings of the store, and each gets what it missed, without gap or double', async () => {
    const first = await startEvents(db);
    const all = await tell(first.events).opened();
    const start = all.cursor;
    const ids = await jobs.submit(60);
    await jobs.move(ids, 'ACTIVATED', 'SENT');
    await jobs.move(ids, 'SENT', 'RUNNING');
    await all.until(180);
    await first.stop();
    // Nothing of it is in the memory of this process: its counts are those of a scan.
    const second = await startEvents(db);
    const read = jest.spyOn(ChangeFeed.prototype, 'read');
    const later = encodeCursor(all.changes[61]?.token ?? '');
    const ofOne = ids.map((id, at) => tell(second.events, { jobIds: [id] }, at % 2 === 0 ? start : later));
    const ofAll = [start, later].map((cursor) => tell(second.events, {}, cursor));
    await jobs.move(ids, 'RUNNING', 'FINISHED');
    for (const [at, subscriber] of ofOne.entries()) {
      const known = all.changes.slice(0, at % 2 === 0 ? 1 : 62).map(({ event }) => event?.jobId);
      const expected = ['null ACTIVATED', 'ACTIVATED SENT', 'SENT RUNNING', 'RUNNING FINISHED']
        .slice(known.filter((id) => id === ids[at]).length)
        .map((step) => `${ids[at]} ${step}`);
      await subscriber.until(expected.length);
      expect(subscriber.lines).toEqual(expected);
    }
    for (const subscriber of ofAll) {
      const expected = subscriber === ofAll[0] ? 240 : 179;
      await subscriber.until(expected);
      expect(new Set(subscriber.changes.map(({ token }) => token)).size).toBe(expected);
    }
    expect(read.mock.calls.length).toBeLessThan(10);
    read.mockRestore();
    await second.stop();
  });

  test('one whose place is lost does not end the others', async () => {
    const first = await startEvents(db);
    const all = await tell(first.events).opened();
    const start = all.cursor;
    const ids = await jobs.submit(5);
    await all.until(5);
    await first.stop();
    const second = await startEvents(db);
    const elsewhere = placeBefore(all.cursor);
    const lost = tell(second.events, {}, elsewhere);
    const good = tell(second.events, { jobIds: ids }, start);
    await good.until(5);
    expect(await lost.ended).toMatchObject({ code: expect.stringMatching(/^CURSOR_/) });
    await second.stop();
  });
});

/** The cursor of an event that never was, a second before another. */
function placeBefore(cursor: string): string {
  const token = Buffer.from(cursor.slice(3), 'base64url').toString('hex').toUpperCase();
  const seconds = Number.parseInt(token.slice(2, 10), 16) - 1;
  return encodeCursor(`82${seconds.toString(16).toUpperCase().padStart(8, '0')}${token.slice(10)}`);
}

describe('a slow subscriber', () => {
  test('is served from the ring while it is not too far behind, then ended with its cursor, from which it goes on', async () => {
    const { events, stop } = await startEvents(db, { ringSize: 60, bufferSize: 5 });
    const stream = events.jobStateChanged({}, undefined, admin, undefined);
    await stream.next();
    const first = stream.next();
    const ids = await jobs.submit(40);
    const seen = [(await first).value];
    await waitFor('40 events', () => events.counts.jobs.sum(() => true) === 40, { deadlineMs: 3000 });
    for (let count = 1; count < 20; count++) seen.push((await stream.next()).value);
    await jobs.move(ids, 'ACTIVATED', 'CANCELLED');
    await jobs.submit(40);
    await waitFor('the ring to go on', () => events.counts.jobs.sum(() => true) === 80, { deadlineMs: 3000 });
    const error = await (async () => {
      for (;;) {
        const { value, done } = await stream.next();
        if (done) return undefined;
        seen.push(value);
      }
    })().catch((thrown: unknown) => thrown);
    if (!isDomainError(error)) throw error;
    expect(error.code).toBe('SUBSCRIPTION_LAGGED');
    expect(error.details['cursor']).toBe(encodeCursor(seen.at(-1)?.token ?? ''));
    const resumed = tell(events, {}, String(error.details['cursor']));
    await resumed.until(120 - seen.length);
    const tokens = [...seen, ...resumed.changes].map((change) => change?.token);
    expect(new Set(tokens).size).toBe(120);
    await stop();
  });
});

describe('followers inside core', () => {
  test('get everything in batches from a stored place, at once an empty one that says where it begins', async () => {
    const first = await startEvents(db, { ringSize: 10 });
    const abort = new AbortController();
    const opening = await first.events.follow({ after: null, signal: abort.signal }).next();
    expect(opening.value?.events).toEqual([]);
    const place = opening.value?.cursor ?? null;
    await first.stop();
    const ids = await jobs.submit(30);
    const second = await startEvents(db, { ringSize: 10 });
    const got: string[] = [];
    const reading = (async () => {
      for await (const { events } of second.events.follow({ after: place, signal: abort.signal }))
        got.push(...events.map(({ jobId }) => jobId));
    })();
    await waitFor('30 events', () => got.length >= 30, { deadlineMs: 3000 });
    expect(new Set(got)).toEqual(new Set(ids));
    abort.abort();
    await reading;
    await second.stop();
  });

  test('listeners are told batches in order, and of writes of other documents', async () => {
    const { events, stop } = await startEvents(db);
    const seen: string[] = [];
    const written: string[] = [];
    events.onEvents((batch) => seen.push(...batch.map(({ last }) => last.to)));
    events.onWritten('queues', (ids) => written.push(...ids));
    const ids = await jobs.submit(1);
    await db.collection<{ _id: string }>('queues').insertOne({ _id: 'queue_1' });
    await jobs.run(ids);
    await waitFor('four events', () => seen.length === 4 && written.length === 1, { deadlineMs: 3000 });
    expect(seen).toEqual(['ACTIVATED', 'SENT', 'RUNNING', 'FINISHED']);
    expect(written).toEqual(['queue_1']);
    await stop();
  });

  test('jobs asked for in one turn are read by one query, each once', async () => {
    const { events, stop } = await startEvents(db);
    const all = await tell(events).opened();
    await jobs.submit(3);
    await all.until(3);
    const found = all.changes.flatMap(({ event }) => (event ? [event, event] : []));
    const fields = { state: 1 } as const;
    const before = await opsOf(db);
    const read = await Promise.all(found.map((event) => events.readJob(event, fields)));
    expect(read.map((job) => job?._id)).toEqual(found.map(({ jobId }) => jobId));
    expect((await opsOf(db)) - before).toBe(1);
    await turn();
    await stop();
  });
});

/** Queries the server has answered on the jobs of a database. */
async function opsOf(of: TestDatabase): Promise<number> {
  const stats = await of.client.db('admin').command({ top: 1 });
  return (
    (stats['totals'] as Record<string, { queries: { count: number } }>)[`${of.databaseName}.jobs`]?.queries
      .count ?? 0
  );
}

describe('the mode LATEST', () => {
  test('leaves out what is overtaken while its reader is slow, tells how much, and ends with the state of each job', async () => {
    const { events, stop } = await startEvents(db, { ringSize: 40, bufferSize: 8 });
    const stream = events.jobStateChanged({}, undefined, admin, undefined, 'LATEST');
    await stream.next();
    const ids = await jobs.submit(20);
    const first = (await stream.next()).value;
    for (let round = 0; round < 3; round++) {
      await jobs.move(ids, 'ACTIVATED', 'SENT');
      await jobs.move(ids, 'SENT', 'ACTIVATED', { by: 'lease' });
    }
    await jobs.move(ids, 'ACTIVATED', 'CANCELLED');
    await waitFor('all events', () => events.counts.jobs.sum(({ state }) => state === 'CANCELLED') === 20, {
      deadlineMs: 3000,
    });
    // 160 events are far more than the ring holds: nobody is ended for that here.
    const seen: JobStateChange[] = first ? [first] : [];
    const told = () => seen.reduce((sum, { coalesced = 0 }) => sum + 1 + coalesced, 0);
    while (told() < 160) {
      const { value } = await stream.next();
      if (value) seen.push(value);
    }
    const tokens = seen.map(({ token }) => token);
    expect(tokens).toEqual([...tokens].sort());
    expect(seen.length).toBeLessThan(160);
    const latest = new Map(seen.map(({ event }) => [event?.jobId, event?.last.to]));
    expect([...latest.values()]).toEqual(ids.map(() => 'CANCELLED'));
    const middle = encodeCursor(seen.at(-5)?.token ?? '');
    const resumed = tell(events, {}, middle);
    await resumed.until(4);
    expect(resumed.changes.slice(0, 4).map(({ token }) => token)).toEqual(tokens.slice(-4));
    await stream.return();
    await stop();
  });

  test('a stalled reader of a busy job costs one event, and is told its latest state', async () => {
    const { events, stop } = await startEvents(db, { ringSize: 1000, bufferSize: 4 });
    const [id = ''] = await jobs.submit(1);
    await waitFor('the job', () => events.counts.jobs.sum(() => true) === 1, { deadlineMs: 3000 });
    const stream = events.jobStateChanged({ jobIds: [id] }, undefined, admin, undefined, 'LATEST');
    await stream.next();
    const waiting = stream.next();
    for (let round = 0; round < 10; round++) {
      await jobs.move([id], 'ACTIVATED', 'SENT');
      await jobs.move([id], 'SENT', 'ACTIVATED', { by: 'lease' });
    }
    await waitFor('all events', () => events.counts.jobs.sum(({ state }) => state === 'ACTIVATED') === 1, {
      deadlineMs: 3000,
    });
    await jobs.move([id], 'ACTIVATED', 'CANCELLED');
    await waitFor('the last', () => events.counts.jobs.sum(({ state }) => state === 'CANCELLED') === 1, {
      deadlineMs: 3000,
    });
    // The one that it waited for may have come together with others; all that came after that are one.
    const first = (await waiting).value;
    expect(first).toMatchObject({ event: { jobId: id } });
    const overtaken = first?.coalesced ?? 0;
    expect(overtaken).toBeLessThan(19);
    const second = (await stream.next()).value;
    expect(second).toMatchObject({ event: { last: { to: 'CANCELLED' } }, coalesced: 19 - overtaken });
    await stream.return();
    await stop();
  });
});
