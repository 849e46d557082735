import { describe, expect, it, jest } from '@jest/globals';
import { isDomainError } from '@rhizome/errors';
import { waitFor } from '@rhizome/testkit';
import { ChangeFeed } from '../../src/events/feed/change-feed.repository.js';
import type { EventsService } from '../../src/events/events.service.js';
import { encodeCursor } from '../../src/events/feed/cursor.js';
import { startEvents } from '../support/events.fixture.js';
import { subscriberSetup } from '../support/subscribers.fixture.js';

const setup = subscriberSetup();

describe('a cursor', () => {
  it('resumes from the ring, beyond it from the store, and after a restart, without gaps or duplicates', async () => {
    // A live subscriber that is more than the ring behind is ended: the one that sees all has a process whose
    // ring holds all.
    const wide = await startEvents(setup.db);
    const first = await startEvents(setup.db, { ringSize: 50 });
    const all = await setup.subscribe(wide.events).opened();
    const start = all.cursor;
    const ids = await setup.jobs.submit(100);
    await setup.jobs.move(ids, 'ACTIVATED', 'CANCELLED');
    await all.until(200);
    const middle = encodeCursor(all.changes[180]?.token ?? '');
    const fromRing = setup.subscribe(first.events, {}, middle);
    const fromStore = setup.subscribe(first.events, {}, start);
    await fromRing.until(20);
    await fromStore.until(200);
    expect(fromRing.lines).toEqual(all.lines.slice(180));
    expect(fromStore.lines).toEqual(all.lines);
    await first.stop();
    await wide.stop();
    const second = await startEvents(setup.db, { ringSize: 50 });
    const restarted = setup.subscribe(second.events, {}, middle);
    await restarted.until(20);
    await setup.jobs.submit(1);
    await restarted.until(21);
    expect(restarted.lines.slice(0, 20)).toEqual(all.lines.slice(180));
    await second.stop();
  });

  it('moves from the store to the ring to live events while jobs move, without gaps or duplicates', async () => {
    const { events, stop } = await startEvents(setup.db, { ringSize: 200, bufferSize: 20 });
    const start = (await setup.subscribe(events).opened()).cursor;
    const moved: string[] = [];
    const load = (async () => {
      for (let round = 0; round < 40; round++) {
        const ids = await setup.jobs.submit(20);
        moved.push(...ids);
        await setup.jobs.move(ids, 'ACTIVATED', 'CANCELLED');
      }
    })();
    const subscribers: Promise<readonly string[]>[] = [];
    while (moved.length < 700) {
      const all = subscribers.length % 2 === 0;
      const filter = all ? {} : { states: ['CANCELLED' as const] };
      subscribers.push(followed(events, filter, start, all ? 1600 : 800));
      await waitFor('some progress', () => moved.length >= subscribers.length * 80, { deadlineMs: 60_000 });
    }
    await load;
    expect(subscribers.length).toBeGreaterThan(4);
    for (const [index, subscriber] of subscribers.entries()) {
      const lines = await subscriber;
      const ends = lines.filter((line) => line.endsWith('CANCELLED')).map((line) => line.split(' ')[0]);
      expect(lines).toHaveLength(index % 2 === 0 ? 1600 : 800);
      expect(new Set(ends)).toEqual(new Set(moved));
    }
    await stop();
  });

  it('resumes although other documents were written when it was issued', async () => {
    const { events, stop } = await startEvents(setup.db);
    const queues = setup.db.collection<{ _id: string }>('queues');
    const cursors: string[] = [];
    for (let round = 0; round < 3; round++) {
      await queues.insertOne({ _id: `queue_${round}` });
      cursors.push((await setup.subscribe(events).opened()).cursor);
    }
    const ids = await setup.jobs.submit(1);
    await stop();
    const again = await startEvents(setup.db);
    for (const cursor of cursors) {
      const resumed = setup.subscribe(again.events, {}, cursor);
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
  it.each(['', 'x', 'e1.', 'e1.AAAA', 'e1.***', ...texts])(
    'is refused as not of this stream: %p',
    async (junk) => {
      const { events, stop } = await startEvents(setup.db);
      const error = await setup.subscribe(events, {}, junk).ended;
      expect(isDomainError(error) && error.code).toBe('CURSOR_INVALID');
      expect(String(error)).toContain('after:');
      await stop();
    },
  );

  it('waits for this process when another process has read further, and repeats nothing', async () => {
    const [one, two] = await Promise.all([startEvents(setup.db), startEvents(setup.db)]);
    const watcher = await setup.subscribe(one.events).opened();
    const [id = ''] = await setup.jobs.submit(1);
    await watcher.until(1);
    const elsewhere = setup.subscribe(two.events, {}, watcher.cursor);
    await setup.jobs.move([id], 'ACTIVATED', 'CANCELLED');
    await elsewhere.until(1);
    expect(elsewhere.lines).toEqual([`${id} ACTIVATED CANCELLED`]);
    await one.stop();
    await two.stop();
  });
});

describe('many subscribers that resume at once', () => {
  it('shares a few reads of the store, and gives each subscriber what it missed, without gaps or duplicates', async () => {
    const first = await startEvents(setup.db);
    const all = await setup.subscribe(first.events).opened();
    const start = all.cursor;
    const ids = await setup.jobs.submit(60);
    await setup.jobs.move(ids, 'ACTIVATED', 'SENT');
    await setup.jobs.move(ids, 'SENT', 'RUNNING');
    await all.until(180);
    await first.stop();
    // Nothing of it is in the memory of this process: its counts are those of a scan.
    const second = await startEvents(setup.db);
    const read = jest.spyOn(ChangeFeed.prototype, 'read');
    const later = encodeCursor(all.changes[61]?.token ?? '');
    const ofOne = ids.map((id, at) =>
      setup.subscribe(second.events, { ids: [id] }, at % 2 === 0 ? start : later),
    );
    const ofAll = [start, later].map((cursor) => setup.subscribe(second.events, {}, cursor));
    await setup.jobs.move(ids, 'RUNNING', 'FINISHED');
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

  it('keeps the other subscribers when the position of one is lost', async () => {
    const first = await startEvents(setup.db);
    const all = await setup.subscribe(first.events).opened();
    const start = all.cursor;
    const ids = await setup.jobs.submit(5);
    await all.until(5);
    await first.stop();
    const second = await startEvents(setup.db);
    const elsewhere = placeBefore(all.cursor);
    const lost = setup.subscribe(second.events, {}, elsewhere);
    const good = setup.subscribe(second.events, { ids }, start);
    await good.until(5);
    expect(await lost.ended).toMatchObject({ code: expect.stringMatching(/^CURSOR_/) });
    await second.stop();
  });
});

/**
 * Events from a cursor on; a subscriber that falls behind the ring resumes from its cursor, as clients do.
 */
async function followed(
  events: EventsService,
  filter: Parameters<EventsService['jobStateChanged']>[0],
  start: string,
  count: number,
): Promise<readonly string[]> {
  const lines: string[] = [];
  for (let cursor = start; ;) {
    const subscriber = setup.subscribe(events, filter, cursor);
    const error = await subscriber.until(count - lines.length).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    lines.push(...subscriber.lines);
    if (error === undefined) return lines;
    if (!isDomainError(error) || error.code !== 'SUBSCRIPTION_LAGGED') throw error;
    if (subscriber.changes.length > 0) cursor = subscriber.cursor;
  }
}

/** The cursor of an event that never was, a second before another. */
function placeBefore(cursor: string): string {
  const token = Buffer.from(cursor.slice(3), 'base64url').toString('hex').toUpperCase();
  const seconds = Number.parseInt(token.slice(2, 10), 16) - 1;
  return encodeCursor(`82${seconds.toString(16).toUpperCase().padStart(8, '0')}${token.slice(10)}`);
}
