import type { JobStateChange, JobStateEvent } from '../../src/events/hub/job-changes.js';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { type TestDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import { startEvents } from '../support/events.fixture.js';
import { subscriberSetup } from '../support/subscribers.fixture.js';

const setup = subscriberSetup();

describe('followers inside core', () => {
  it('receives everything in batches from a stored position, beginning with an empty batch that says where it begins', async () => {
    const first = await startEvents(setup.db, { ringSize: 10 });
    const abort = new AbortController();
    const opening = await first.events.follow({ after: null, signal: abort.signal }).next();
    expect(opening.value?.events).toEqual([]);
    const place = opening.value?.cursor ?? null;
    await first.stop();
    const ids = await setup.jobs.submit(30);
    const second = await startEvents(setup.db, { ringSize: 10 });
    const got: string[] = [];
    const reading = (async () => {
      for await (const { events } of second.events.follow({ after: place, signal: abort.signal }))
        got.push(...events.map(({ jobId }) => jobId));
    })();
    await waitFor('30 events', () => got.length >= 30, { deadlineMs: 60_000 });
    expect(new Set(got)).toEqual(new Set(ids));
    abort.abort();
    await reading;
    await second.stop();
  });

  it('notifies listeners of batches in order, and of writes of other documents', async () => {
    const { events, stop } = await startEvents(setup.db);
    const seen: string[] = [];
    const written: string[] = [];
    events.onEvents((batch) => seen.push(...batch.map(({ last }) => last.to)));
    events.onWritten('queues', (ids) => written.push(...ids));
    const ids = await setup.jobs.submit(1);
    await setup.db.collection<{ _id: string }>('queues').insertOne({ _id: 'queue_1' });
    await setup.jobs.run(ids);
    await waitFor('four events', () => seen.length === 4 && written.length === 1, { deadlineMs: 60_000 });
    expect(seen).toEqual(['ACTIVATED', 'SENT', 'RUNNING', 'FINISHED']);
    expect(written).toEqual(['queue_1']);
    await stop();
  });

  it('reads the jobs requested in one turn with one query, each once', async () => {
    const { events, stop } = await startEvents(setup.db);
    const all = await setup.subscribe(events).opened();
    await setup.jobs.submit(3);
    await all.until(3);
    const found = all.changes.flatMap((change) => (hasEvent(change) ? [change, change] : []));
    const fields = { state: 1 } as const;
    const before = await opsOf(setup.db);
    const read = await Promise.all(found.map((change) => events.readJob(change, fields)));
    expect(read.map(({ _id }) => _id)).toEqual(found.map(({ event }) => event.jobId));
    expect((await opsOf(setup.db)) - before).toBe(1);
    await turn();
    await stop();
  });
});

it('reads the jobs of waiting events together, though their consumer takes one after another', async () => {
  const { events, stop } = await startEvents(setup.db);
  const stream = events.jobStateChanged({}, undefined, testPrincipal(), undefined);
  await stream.next();
  const first = stream.next();
  const ids = await setup.jobs.submit(40);
  await setup.jobs.move(ids, 'ACTIVATED', 'SENT');
  await waitFor('all events', () => events.counts.jobs.sum(({ state }) => state === 'SENT') === 40, {
    deadlineMs: 60_000,
  });
  const fields = { state: 1 } as const;
  const before = await opsOf(setup.db);
  const states: string[] = [];
  for (let change = (await first).value; change; change = (await stream.next()).value) {
    if (hasEvent(change)) states.push((await events.readJob(change, fields)).state);
    if (states.length === 80) break;
  }
  // No job is read as it was before its event.
  expect(new Set(states.slice(40))).toEqual(new Set(['SENT']));
  expect((await opsOf(setup.db)) - before).toBeLessThan(8);
  await stream.return();
  await stop();
});

/** True for a message after the opening one. */
function hasEvent(change: JobStateChange): change is JobStateEvent {
  return change.event !== null;
}

/** Queries the server has answered on the jobs of a database. */
async function opsOf(of: TestDatabase): Promise<number> {
  const stats = await of.client.db('admin').command({ top: 1 });
  return (
    (stats['totals'] as Record<string, { queries: { count: number } }>)[`${of.databaseName}.jobs`]?.queries
      .count ?? 0
  );
}
