/**
 * Messages to followers of counts, and the stored counts, after the stream was lost and all jobs were counted
 * again.
 */
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { createIds, systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { type TestDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { eventStores } from '../../src/composition/event-stores.repository.js';
import { eventsDatabase, startEvents, TestJobs } from '../support/events.fixture.js';
import type { EventsService } from '../../src/events/events.service.js';
import { CountsService } from '../../src/events/counts/counts.service.js';

const task = { id: 'task_1', index: 0 };
let db: TestDatabase;
let jobs: TestJobs;

beforeEach(async () => {
  db = await eventsDatabase();
  jobs = new TestJobs(db);
});

afterEach(() => jobs.close());

/** Misses three jobs of a task, as after a lost stream: they are not in the counts after the next recount. */
async function threeThatWillBeMissed(events: EventsService): Promise<void> {
  const ids = await jobs.submit(3, { task, share: 'alpha/gone' });
  await jobs.submit(2, { task });
  await waitFor('five jobs', () => events.counts.jobs.sum(() => true) === 5, { deadlineMs: 60_000 });
  await collection(db, jobsCollection).deleteMany({ _id: { $in: ids } });
}

it('reports counts that no longer exist as zeros', async () => {
  const { events, stop } = await startEvents(db);
  await threeThatWillBeMissed(events);
  const stream = events.jobCountsChanged({}, 100, testPrincipal(), undefined);
  const shown = new Map<string, number>();
  const show = async (): Promise<void> => {
    const { value } = await stream.next();
    for (const { share, state, count } of value?.counts ?? []) shown.set(`${share} ${state}`, count);
  };
  await show();
  expect(Object.fromEntries(shown)).toEqual({ 'alpha/default ACTIVATED': 2, 'alpha/gone ACTIVATED': 3 });
  await events.counts.rebuild(new AbortController().signal);
  await show();
  expect(Object.fromEntries(shown)).toEqual({ 'alpha/default ACTIVATED': 2, 'alpha/gone ACTIVATED': 0 });
  await stream.return();
  await stop();
});

it('reports the progress of a task again', async () => {
  const { events, stop } = await startEvents(db);
  await threeThatWillBeMissed(events);
  const stream = events.taskProgress(
    task.id,
    {
      find: () => Promise.resolve(task),
      progress: () =>
        Promise.resolve({ totalJobs: 5, createdJobs: 5, states: events.counts.ofTask(task.id) ?? {} }),
      hasEnded: () => false,
    },
    undefined,
  );
  expect((await stream.next()).value?.progress.states).toEqual({ ACTIVATED: 5 });
  const next = stream.next();
  await events.counts.rebuild(new AbortController().signal);
  expect((await next).value?.progress.states).toEqual({ ACTIVATED: 2 });
  await stream.return();
  await stop();
});

it('does not take a snapshot that was being stored meanwhile for a part of the new counts', async () => {
  await jobs.submit(2, { task });
  const stores = eventStores(db, []);
  const parts = { ...stores, clock: systemClock, ids: createIds(), log: silentLogger(), saveMs: 1000 };
  const counts = new CountsService(parts);
  const { signal } = new AbortController();
  await counts.begin(signal);
  const place = '826A0000000000000129';
  counts.apply([], place);
  const saving = counts.save(1);
  await jobs.submit(3, { task });
  await counts.rebuild(signal);
  await saving;
  counts.apply([], place);
  await counts.save(1);
  const again = new CountsService(parts);
  await again.begin(signal);
  expect(again.ofTask(task.id)).toEqual({ ACTIVATED: 5 });
});
