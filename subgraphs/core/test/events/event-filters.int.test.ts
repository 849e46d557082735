import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import { type TestDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import fc from 'fast-check';
import { setMaxListeners } from 'node:events';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import type { JobState } from '../../src/jobs/model/job-state.js';
import type { NewJob } from '../../src/jobs/model/new-job.js';
import { encodeCursor } from '../../src/events/feed/cursor.js';
import type { JobFilterSpec } from '../../src/jobs/jobs.service.js';
import { lowestIdAt } from '../../src/jobs/model/job-ids.js';
import { eventsDatabase, startEvents, TestJobs } from '../support/events.fixture.js';
import type { EventsService } from '../../src/events/events.service.js';
import type { StreamedJobEvent } from '../../src/events/feed/job-event.js';

const admin = testPrincipal();
let db: TestDatabase;
let jobs: TestJobs;
let over: AbortController;

beforeEach(async () => {
  db = await eventsDatabase();
  jobs = new TestJobs(db);
  over = new AbortController();
  setMaxListeners(0, over.signal);
});

afterEach(async () => {
  over.abort();
  await jobs.close();
});

/** Reads a subscription until the test is over. */
function follow(events: EventsService, filter: JobFilterSpec, after?: string, principal = admin) {
  const seen: { readonly token: string; readonly event: StreamedJobEvent | null }[] = [];
  const ended = (async () => {
    for await (const { token, event } of events.jobStateChanged(filter, after, principal, over.signal))
      seen.push({ token, event });
  })();
  return { seen, ended, events: () => seen.flatMap(({ event }) => event ?? []) };
}

const line = ({ jobId, last }: StreamedJobEvent): string => `${jobId} ${last.revision} ${last.to}`;

/** Jobs that differ in all that can be asked for, and what happens to them. */
const kinds: readonly Partial<NewJob>[] = [
  { share: 'alpha/default', owner: 'one@example', labels: [{ key: 'a', value: '1' }] },
  { share: 'alpha/fast', owner: 'two@example', task: { id: 'task_1', index: 0 } },
  {
    share: 'alpha/fast',
    owner: 'one@example',
    task: { id: 'task_1', index: 1 },
    labels: [{ key: 'a', value: '2' }],
  },
  {
    experiment: 'beta',
    share: 'beta/default',
    owner: 'one@example',
    task: { id: 'task_2', index: 0 },
    labels: [
      { key: 'a', value: '1' },
      { key: 'b', value: '1' },
    ],
  },
];

/** The rules of the filter, written out once more. */
function isWanted(filter: JobFilterSpec, { jobId, last }: StreamedJobEvent): boolean {
  const among = <T>(wanted: readonly T[] | null | undefined, is: T): boolean =>
    !wanted || wanted.includes(is);
  return (
    among(filter.ids, jobId) &&
    among(filter.experiments, last.experiment) &&
    among(filter.states, last.to) &&
    among(filter.taskIds, last.taskId ?? 'none') &&
    among(filter.queues, last.queue ?? 'none') &&
    among(filter.shares, last.share ?? 'none') &&
    among(filter.owners, last.owner ?? 'none') &&
    (!filter.createdFrom || jobId >= lowestIdAt(filter.createdFrom)) &&
    (!filter.createdBefore || jobId < lowestIdAt(filter.createdBefore)) &&
    (!filter.labels || filter.labels.some(({ key, value }) => last.labels.includes(`${key}=${value}`)))
  );
}

function anyFilter(ids: readonly string[]): fc.Arbitrary<JobFilterSpec> {
  const labels = [
    { key: 'a', value: '1' },
    { key: 'a', value: '2' },
    { key: 'b', value: '1' },
    { key: 'b', value: '' },
  ];
  const seldom = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null | undefined> =>
    fc.oneof({ weight: 4, arbitrary: fc.constantFrom(undefined, null) }, { weight: 2, arbitrary: values });
  return fc.record({
    ids: seldom(fc.subarray([...ids])),
    taskIds: seldom(fc.subarray(['task_1', 'task_2', ''])),
    experiments: seldom(fc.subarray(['alpha', 'beta', 'gamma'])),
    queues: seldom(fc.subarray(['north', 'south', ''])),
    shares: seldom(fc.subarray(['alpha/default', 'alpha/fast', 'beta/default'])),
    owners: seldom(fc.subarray(['one@example', 'two@example', ''])),
    createdFrom: seldom(fc.constantFrom(new Date(0), new Date(Date.now() + 60_000))),
    createdBefore: seldom(fc.constantFrom(new Date(1000), new Date(Date.now() + 60_000))),
    states: seldom(fc.subarray<JobState>(['ACTIVATED', 'SENT', 'RUNNING', 'FINISHED', 'CANCELLED'])),
    labels: seldom(fc.subarray(labels)),
  });
}

describe('a filter', () => {
  it('matches the same events live, from the ring and from the store, whatever fields it combines', async () => {
    const { events, stop } = await startEvents(db, { ringSize: 5000 });
    const all = follow(events, {});
    await waitFor('the opening', () => all.seen.length > 0, { deadlineMs: 60_000 });
    const start = encodeCursor(all.seen[0]?.token ?? '');
    const ids = (await Promise.all(kinds.map((kind) => jobs.submit(3, kind)))).flat();
    const filters = fc.sample(anyFilter(ids), { numRuns: 100, seed: 20_300_101 });
    const live = filters.map((filter) => follow(events, filter, start));
    const [some, others] = [ids.filter((_id, at) => at % 2 === 0), ids.filter((_id, at) => at % 2 === 1)];
    await jobs.run(some, 'north');
    await jobs.move(others, 'ACTIVATED', 'SENT', {}, 'south');
    await jobs.move(others.slice(0, 3), 'SENT', 'CANCELLED');
    const total = ids.length + 3 * some.length + others.length + 3;
    await waitFor('all events', () => all.events().length === total, { deadlineMs: 60_000 });
    const expected = filters.map((filter) =>
      all
        .events()
        .filter((one) => isWanted(filter, one))
        .map(line),
    );
    const fromRing = filters.map((filter) => follow(events, filter, start));
    const second = await startEvents(db, { ringSize: 2 });
    const fromStore = filters.map((filter) => follow(second.events, filter, start));
    for (const [what, followers] of Object.entries({ live, fromRing, fromStore })) {
      await waitFor(
        `${what}: all events of each filter`,
        () => followers.every((one, at) => one.events().length >= (expected[at]?.length ?? 0)),
        { deadlineMs: 60_000 },
      );
      expect([what, followers.map((one) => one.events().map(line))]).toEqual([what, expected]);
    }
    // Neither all nor nothing: the filters distinguish events.
    const sizes = expected.map(({ length }) => length);
    expect(sizes.filter((size) => size > 0 && size < total).length).toBeGreaterThan(15);
    expect(sizes.filter((size) => size === 0).length).toBeGreaterThan(5);
    over.abort();
    await Promise.all([stop(), second.stop()]);
  });

  it('shows nothing of the jobs of other users that it names', async () => {
    const { events, stop } = await startEvents(db);
    const reader = testPrincipal({ subject: 'reader@example', grants: { beta: 'READER' } });
    const opening = follow(events, {});
    await waitFor('the opening', () => opening.seen.length > 0, { deadlineMs: 60_000 });
    const start = encodeCursor(opening.seen[0]?.token ?? '');
    const hidden = await jobs.submit(4, { ...kinds[0], task: { id: 'task_9', index: 0 } });
    const [own = ''] = await jobs.submit(1, {
      ...kinds[3],
      owner: 'one@example',
      task: { id: 'task_9', index: 1 },
    });
    const ids = [...hidden, own];
    const filters: JobFilterSpec[] = [
      { ids },
      { ids, owners: ['one@example'] },
      { taskIds: ['task_9'] },
      {
        ids,
        labels: [{ key: 'a', value: '1' }],
        states: ['ACTIVATED', 'SENT', 'RUNNING', 'FINISHED'],
      },
    ];
    const second = await startEvents(db, { ringSize: 1 });
    const followers = [events, second.events].flatMap((of) =>
      filters.map((filter) => follow(of, filter, start, reader)),
    );
    await jobs.run(ids);
    await waitFor('its own events', () => followers.every((one) => one.events().length >= 4), {
      deadlineMs: 60_000,
    });
    // The last event comes after all events that must not be delivered.
    await waitFor('all events', () => opening.events().length === 20, { deadlineMs: 60_000 });
    for (const one of followers) expect(one.events().map(({ jobId }) => jobId)).toEqual([own, own, own, own]);
    over.abort();
    await Promise.all([stop(), second.stop()]);
  });
});

it('misses nothing for a client that takes a cursor, reads, and resumes there while jobs move', async () => {
  const { events, stop } = await startEvents(db, { ringSize: 300 });
  let [isOver, rounds] = [false, 0];
  const load = (async () => {
    for (; !isOver; rounds += 1) {
      const ids = await jobs.submit(10);
      await jobs.move(ids, 'ACTIVATED', 'SENT');
      await jobs.move(ids.slice(0, 5), 'SENT', 'RUNNING');
      await jobs.move(ids.slice(5), 'SENT', 'CANCELLED');
    }
  })();
  const readers = [];
  for (let round = 0; round < 15; round += 1) {
    await waitFor('another round of jobs', () => rounds > round, { deadlineMs: 60_000 });
    const opening = events.jobStateChanged({}, undefined, admin, undefined);
    const first = await opening.next();
    await opening.return();
    const cursor = encodeCursor(first.value?.token ?? '');
    expect(first.value?.event).toBeNull();
    const read = await collection(db, jobsCollection)
      .find({}, { projection: { state: 1, revision: 1 } })
      .toArray();
    const known = new Map(read.map(({ _id, state, revision }) => [_id, { state, revision }]));
    readers.push({ known, follower: follow(events, {}, cursor) });
  }
  isOver = true;
  await load;
  const stored = await collection(db, jobsCollection).find().toArray();
  const last = new Map(stored.map(({ _id, state, revision }) => [_id, { state, revision }]));
  for (const { known, follower } of readers) {
    const seen = new Map(known);
    let [at, gaps] = [0, 0];
    const isWhole = (): boolean => {
      const received = follower.events();
      for (; at < received.length; at += 1) {
        const event = received[at];
        if (!event) continue;
        const { jobId, last: change } = event;
        const before = seen.get(jobId)?.revision ?? 0;
        // What was read already may be received again; what was not must be the next.
        if (change.revision > before + 1) gaps += 1;
        if (change.revision > before) seen.set(jobId, { state: change.to, revision: change.revision });
      }
      return [...last].every(([id, { revision }]) => seen.get(id)?.revision === revision);
    };
    await waitFor('all that is stored', isWhole, { deadlineMs: 60_000 });
    expect(gaps).toBe(0);
    expect(seen).toEqual(last);
  }
  expect(new Set(readers.map(({ known }) => known.size)).size).toBeGreaterThan(3);
  over.abort();
  await stop();
});
