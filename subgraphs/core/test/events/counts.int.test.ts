import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { createIds, systemClock } from '@rhizome/clock';
import { collection, connectMongo, secondsOf } from '@rhizome/mongo';
import { leftovers, ownMongod, type TestDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { decodeCursor, encodeCursor } from '../../src/events/feed/cursor.js';
import {
  countedByEvents,
  countedByScan,
  eventsDatabase,
  prepareDatabase,
  startEvents,
  TestJobs,
} from '../support/events.fixture.js';
import type { EventsService } from '../../src/events/events.service.js';
import { CountsService } from '../../src/events/counts/counts.service.js';
import { errorSummaryStore, eventStores } from '../../src/composition/event-stores.repository.js';
import { failureConsumer } from '../../src/events/failures/failure-work.js';
import { consumersCollection } from '../../src/jobs/transitions/consumer.document.js';
import { countFailures } from '../support/failures.fixture.js';
import { countSnapshotsCollection } from '../../src/events/counts/count-snapshot.document.js';
import { CountSnapshotsRepository } from '../../src/events/counts/count-snapshots.repository.js';

/** Lets a process lead until the signal is aborted. */
function lead(events: EventsService, epoch: number): AbortController {
  const term = new AbortController();
  events.leadWith({
    onGained: (listener) => {
      listener(term.signal, epoch);
      return () => undefined;
    },
  });
  return term;
}

/** Waits until the counts of a process are those of the store. */
async function untilEqual(db: TestDatabase, events: EventsService): Promise<void> {
  const expected = await countedByScan(db);
  await waitFor(
    'counts that equal a scan',
    () => JSON.stringify(countedByEvents(events)) === JSON.stringify(expected),
    { deadlineMs: 60_000 },
  ).catch(() => undefined);
  expect(countedByEvents(events)).toEqual(expected);
}

async function tasksByScan(db: TestDatabase, taskId: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { state } of await collection(db, jobsCollection).find({ taskId }).toArray())
    counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

/** Jobs come, run and end at two queues, until the signal is aborted. */
async function keepMoving(jobs: TestJobs, signal: AbortSignal): Promise<void> {
  for (let round = 0; !signal.aborted; round++) {
    const share =
      round % 3 === 0
        ? { experiment: 'beta', share: 'beta/default' }
        : { share: `alpha/${round % 2 === 0 ? 'slow' : 'fast'}` };
    const ids = await jobs.submit(12, { ...share, task: { id: `task_${round % 4}`, index: 0 } });
    const queue = round % 2 === 0 ? 'north' : 'south';
    await jobs.move(ids.slice(0, 2), 'ACTIVATED', 'SENT', {}, queue, { model: 'A100', count: 2 });
    await jobs.move(ids.slice(2, 4), 'ACTIVATED', 'SENT', {}, queue, { model: 'L4', count: 0.25 });
    await jobs.move(ids.slice(4, 8), 'ACTIVATED', 'SENT', {}, queue);
    await jobs.move(ids.slice(0, 3), 'SENT', 'ACTIVATED', { by: 'lease' });
    await jobs.move(ids.slice(0, 1), 'ACTIVATED', 'SENT', {}, queue, { model: 'L4', count: 1 });
    await jobs.move(ids.slice(1, 2), 'ACTIVATED', 'SENT', {}, queue);
    await jobs.move(ids.slice(2, 3), 'ACTIVATED', 'SENT', {}, queue, { model: 'L4', count: 0.25 });
    await jobs.move(ids.slice(3, 8), 'SENT', 'RUNNING');
    await jobs.move(ids.slice(3, 6), 'RUNNING', 'FINISHED');
    await jobs.move(ids.slice(8, 10), 'ACTIVATED', 'CANCELLED');
    await jobs.move(ids.slice(10, 12), 'ACTIVATED', 'PENDING', {
      change: { hold: { by: 'user@example', reason: 'test' } },
    });
  }
}

describe('counts', () => {
  it('begins with a scan of the existing jobs, and goes on exactly', async () => {
    const db = await eventsDatabase();
    const jobs = new TestJobs(db);
    const ids = await jobs.submit(30, { task: { id: 'task_1', index: 0 } });
    await jobs.run(ids.slice(0, 10));
    const abort = new AbortController();
    const moving = keepMoving(jobs, abort.signal);
    const { events, stop } = await startEvents(db);
    await waitFor('some more', () => events.counts.jobs.sum(() => true) > 60, { deadlineMs: 60_000 });
    abort.abort();
    await moving;
    await untilEqual(db, events);
    for (const task of ['task_0', 'task_1', 'task_2'])
      expect(events.counts.ofTask(task)).toEqual(await tasksByScan(db, task));
    expect(events.counts.ofTask('task_9')).toEqual({});
    await stop();
    await jobs.close();
  });

  it('equals a scan after every crash of the process that stores counts, though jobs move all the time', async () => {
    const db = await eventsDatabase();
    const jobs = new TestJobs(db);
    const abort = new AbortController();
    const moving = keepMoving(jobs, abort.signal);
    const snapshots = db.collection(countSnapshotsCollection.name);
    let storedBefore = '';
    for (let epoch = 1; epoch <= 4; epoch++) {
      const { events, stop } = await startEvents(db, { countsSaveMs: 20 });
      const term = lead(events, epoch);
      await waitFor(
        'a stored snapshot',
        async () => {
          const head = await snapshots.findOne<{ token: string; epoch: number }>({ kind: 'HEAD' });
          return (
            head !== null &&
            head.epoch === epoch &&
            head.token !== storedBefore &&
            (storedBefore = head.token)
          );
        },
        { deadlineMs: 60_000 },
      );
      // A crash stores nothing more: what was applied since the last snapshot is lost with the process.
      term.abort();
      await stop();
    }
    const { events, stop } = await startEvents(db);
    abort.abort();
    await moving;
    await untilEqual(db, events);
    for (const task of ['task_0', 'task_1', 'task_2', 'task_3'])
      expect(events.counts.ofTask(task)).toEqual(await tasksByScan(db, task));
    const head = await snapshots.findOne<{ chunks: string[] }>({ kind: 'HEAD' });
    const chunks = await snapshots.find<{ _id: string }>({ kind: 'CHUNK' }).toArray();
    expect(chunks.map(({ _id }) => _id).sort()).toEqual([...(head?.chunks ?? [])].sort());
    await stop();
    await jobs.close();
  });

  it('has the same counts in two processes', async () => {
    const db = await eventsDatabase();
    const jobs = new TestJobs(db);
    const [one, two] = await Promise.all([startEvents(db), startEvents(db)]);
    const ids = await jobs.submit(50);
    await jobs.run(ids.slice(0, 20), 'south');
    await untilEqual(db, one.events);
    await untilEqual(db, two.events);
    await one.stop();
    await two.stop();
    await jobs.close();
  });

  it('keeps the snapshot of a younger leader when an older one stores, and keeps it whole', async () => {
    const db = await eventsDatabase();
    const jobs = new TestJobs(db);
    await jobs.submit(5, { task: { id: 'task_1', index: 0 } });
    const [old, young] = await Promise.all([startEvents(db), startEvents(db)]);
    await untilEqual(db, old.events);
    await untilEqual(db, young.events);
    await waitFor(
      'a place',
      async () =>
        young.events.counts
          .save(2)
          .then(() => db.collection(countSnapshotsCollection.name).findOne({ kind: 'HEAD' })),
      { deadlineMs: 60_000 },
    );
    expect(await old.events.counts.save(1)).toBe(false);
    await jobs.submit(5, { task: { id: 'task_1', index: 0 } });
    await untilEqual(db, young.events);
    expect(await young.events.counts.save(2)).toBe(true);
    const stored = new CountSnapshotsRepository(collection(db, countSnapshotsCollection));
    expect((await stored.read())?.head.epoch).toBe(2);
    const again = await startEvents(db);
    await untilEqual(db, again.events);
    expect(again.events.counts.ofTask('task_1')).toEqual({ ACTIVATED: 10 });
    await Promise.all([old.stop(), young.stop(), again.stop()]);
    await jobs.close();
  });
});

describe('a stream that was lost', () => {
  it('starts again: counts equal a scan, old cursors are expired, new ones work', async () => {
    const mongod = await ownMongod({ oplogSizeMiB: 1, checkpointSeconds: 1 });
    const mongo = await connectMongo({ uri: mongod.uri, appName: 'tests' });
    leftovers.defer('its client', () => mongo.close());
    const db = mongo.db('core');
    await prepareDatabase(db);
    const jobs = new TestJobs(db);
    const first = await startEvents(db, { countsSaveMs: 20 });
    const term = lead(first.events, 1);
    const failures = countFailures(db, first.events);
    const admin = testPrincipal();
    const opening = await first.events.jobStateChanged({}, undefined, admin, undefined).next();
    const cursor = encodeCursor(opening.value?.token ?? '');
    await jobs.submit(20);
    await untilEqual(db, first.events);
    await waitFor(
      'a snapshot',
      () => db.collection(countSnapshotsCollection.name).findOne({ kind: 'HEAD' }),
      { deadlineMs: 60_000 },
    );
    const positions = collection(db, consumersCollection);
    await waitFor('a position of failures', () => positions.findOne({ _id: failureConsumer }), {
      deadlineMs: 60_000,
    });
    await failures.stop();
    term.abort();
    await first.stop();
    await jobs.submit(20);
    await overwriteOplog(db, cursor);
    const second = await startEvents(db);
    await untilEqual(db, second.events);
    const old = await second.events
      .jobStateChanged({}, cursor, admin, undefined)
      .next()
      .catch((error: unknown) => error);
    expect(old).toMatchObject({ code: 'CURSOR_EXPIRED', details: { field: 'after' } });
    expect(String(old)).toMatch(/subscribe without "after", then read the jobs, and resume from the cursor/);
    const stream = second.events.jobStateChanged({}, undefined, admin, undefined);
    expect((await stream.next()).value).toMatchObject({ event: null });
    const next = stream.next();
    await jobs.submit(1);
    expect((await next).value).toMatchObject({ event: { last: { to: 'ACTIVATED' } } });
    await stream.return();
    const position = (await positions.findOne({ _id: failureConsumer }))?.cursor ?? '';
    const counting = countFailures(db, second.events);
    const history = await waitFor(
      'a gap in the counts of failures',
      async () => {
        const found = await errorSummaryStore(db).history();
        return found && found.gaps.length > 0 ? found : undefined;
      },
      { deadlineMs: 60_000 },
    );
    expect(history.gaps).toEqual([
      { from: new Date(secondsOf(decodeCursor(position)) * 1000), to: expect.any(Date) },
    ]);
    await counting.stop();
    await second.stop();
    await jobs.close();
  });
});

describe('a stream whose primary is killed', () => {
  it('goes on at the next primary, without gaps or duplicates', async () => {
    const mongod = await ownMongod({ members: 3, oplogSizeMiB: 64 });
    const mongo = await connectMongo({ uri: mongod.uri, appName: 'tests', serverSelectionTimeoutMs: 60_000 });
    leftovers.defer('their client', () => mongo.close());
    const db = mongo.db('core');
    await prepareDatabase(db);
    const jobs = new TestJobs(db);
    const { events, stop } = await startEvents(db);
    const abort = new AbortController();
    const received: string[] = [];
    const reading = (async () => {
      for await (const { event } of events.jobStateChanged({}, undefined, testPrincipal(), abort.signal))
        if (event) received.push(`${event.jobId} ${event.last.to}`);
    })();
    const before = await jobs.submit(20);
    const hello = await mongo.db('admin').command({ hello: 1 });
    const primary = mongod.members.find(({ port }) => String(hello['primary']).endsWith(`:${port}`));
    await primary?.kill('SIGKILL');
    await waitFor(
      'another primary',
      async () =>
        (
          await mongo
            .db('admin')
            .command({ hello: 1 })
            .catch(() => ({ isWritablePrimary: false }))
        )['isWritablePrimary'] === true,
      { deadlineMs: 60_000 },
    );
    const after = await jobs.submit(20);
    await waitFor('all events', () => received.length >= 40, { deadlineMs: 60_000 });
    await untilEqual(db, events);
    expect(received.sort()).toEqual([...before, ...after].map((id) => `${id} ACTIVATED`).sort());
    expect(events.isReady).toBe(true);
    abort.abort();
    await reading;
    await stop();
    await jobs.close();
  });
});

/** Writes until the log of the store no longer reaches back to a cursor. */
async function overwriteOplog(db: TestDatabase, cursor: string): Promise<void> {
  const filler = Array.from({ length: 64 }, (_, n) => ({ n, text: 'x'.repeat(16_000) }));
  const token = Buffer.from(cursor.slice(3), 'base64url').toString('hex').toUpperCase();
  await waitFor(
    'the log to be overwritten',
    async () => {
      await db.collection('filler').insertMany(filler.map((document) => ({ ...document })));
      const feed = db.watch([], { resumeAfter: { _data: token } });
      const isLost = await feed.tryNext().then(
        () => false,
        (error: { code?: number }) => error.code === 286,
      );
      await feed.close();
      return isLost;
    },
    { deadlineMs: 60_000 },
  );
}

describe('counts that are not loaded yet', () => {
  it('reports nothing about a task, and afterwards no jobs for a task without events', async () => {
    const db = await eventsDatabase();
    const { scan, snapshots } = eventStores(db, []);
    const counts = new CountsService({
      scan,
      snapshots,
      clock: systemClock,
      ids: createIds(),
      log: silentLogger(),
      saveMs: 1000,
    });
    expect(counts.ofTask('task_1')).toBeUndefined();
    await counts.begin(new AbortController().signal);
    expect(counts.ofTask('task_1')).toEqual({});
  });
});
