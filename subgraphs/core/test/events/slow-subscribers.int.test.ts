import { describe, expect, it } from '@jest/globals';
import { isDomainError } from '@rhizome/errors';
import { waitFor } from '@rhizome/testkit';
import { encodeCursor } from '../../src/events/feed/cursor.js';
import { startEvents } from '../support/events.fixture.js';
import type { JobStateChange } from '../../src/events/hub/job-changes.js';
import { admin, subscriberSetup } from '../support/subscribers.fixture.js';

const setup = subscriberSetup();

describe('a slow subscriber', () => {
  it('is served from the ring while it is not too far behind, then ended with its cursor, and resumes there', async () => {
    const { events, stop } = await startEvents(setup.db, { ringSize: 60, bufferSize: 5 });
    const stream = events.jobStateChanged({}, undefined, admin, undefined);
    await stream.next();
    const first = stream.next();
    const ids = await setup.jobs.submit(40);
    const seen = [(await first).value];
    await waitFor('40 events', () => events.counts.jobs.sum(() => true) === 40, { deadlineMs: 60_000 });
    for (let count = 1; count < 20; count++) seen.push((await stream.next()).value);
    await setup.jobs.move(ids, 'ACTIVATED', 'CANCELLED');
    await setup.jobs.submit(40);
    await waitFor('the ring to go on', () => events.counts.jobs.sum(() => true) === 80, {
      deadlineMs: 60_000,
    });
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
    const resumed = setup.subscribe(events, {}, String(error.details['cursor']));
    await resumed.until(120 - seen.length);
    const tokens = [...seen, ...resumed.changes].map((change) => change?.token);
    expect(new Set(tokens).size).toBe(120);
    await stop();
  });
});

describe('the mode LATEST', () => {
  it('leaves out superseded events of a slow subscriber, says how many, and ends with the state of each job', async () => {
    const { events, stop } = await startEvents(setup.db, { ringSize: 40, bufferSize: 8 });
    const stream = events.jobStateChanged({}, undefined, admin, undefined, 'LATEST');
    await stream.next();
    const ids = await setup.jobs.submit(20);
    const first = (await stream.next()).value;
    for (let round = 0; round < 3; round++) {
      await setup.jobs.move(ids, 'ACTIVATED', 'SENT');
      await setup.jobs.move(ids, 'SENT', 'ACTIVATED', { by: 'lease' });
    }
    await setup.jobs.move(ids, 'ACTIVATED', 'CANCELLED');
    await waitFor('all events', () => events.counts.jobs.sum(({ state }) => state === 'CANCELLED') === 20, {
      deadlineMs: 60_000,
    });
    // 160 events are far more than the ring holds: nobody is ended for that here.
    const seen: JobStateChange[] = first ? [first] : [];
    const received = () => seen.reduce((sum, { coalesced = 0 }) => sum + 1 + coalesced, 0);
    while (received() < 160) {
      const { value } = await stream.next();
      if (value) seen.push(value);
    }
    const tokens = seen.map(({ token }) => token);
    expect(tokens).toEqual([...tokens].sort());
    expect(seen.length).toBeLessThan(160);
    const latest = new Map(seen.map(({ event }) => [event?.jobId, event?.last.to]));
    expect([...latest.values()]).toEqual(ids.map(() => 'CANCELLED'));
    const middle = encodeCursor(seen.at(-5)?.token ?? '');
    const resumed = setup.subscribe(events, {}, middle);
    await resumed.until(4);
    expect(resumed.changes.slice(0, 4).map(({ token }) => token)).toEqual(tokens.slice(-4));
    await stream.return();
    await stop();
  });

  it('keeps one event of a busy job for a stalled subscriber, and delivers its latest state', async () => {
    const { events, stop } = await startEvents(setup.db, { ringSize: 1000, bufferSize: 4 });
    const [id = ''] = await setup.jobs.submit(1);
    await waitFor('the job', () => events.counts.jobs.sum(() => true) === 1, { deadlineMs: 60_000 });
    const stream = events.jobStateChanged({ ids: [id] }, undefined, admin, undefined, 'LATEST');
    await stream.next();
    const waiting = stream.next();
    for (let round = 0; round < 10; round++) {
      await setup.jobs.move([id], 'ACTIVATED', 'SENT');
      await setup.jobs.move([id], 'SENT', 'ACTIVATED', { by: 'lease' });
    }
    await waitFor('all events', () => events.counts.jobs.sum(({ state }) => state === 'ACTIVATED') === 1, {
      deadlineMs: 60_000,
    });
    await setup.jobs.move([id], 'ACTIVATED', 'CANCELLED');
    await waitFor('the last', () => events.counts.jobs.sum(({ state }) => state === 'CANCELLED') === 1, {
      deadlineMs: 60_000,
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
