import { describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import { startEvents } from '../support/events.fixture.js';
import type { EventsService } from '../../src/events/events.service.js';
import { subscriberSetup } from '../support/subscribers.fixture.js';

const setup = subscriberSetup();

describe('a subscriber', () => {
  it('receives the cursor alone first, then each transition in order, with what the event knows', async () => {
    const { events, stop } = await startEvents(setup.db);
    const all = await setup.subscribe(events).opened();
    expect(all.changes[0]?.event).toBeNull();
    const [id = ''] = await setup.jobs.submit(1, { labels: [{ key: 'a', value: 'b' }] });
    await setup.jobs.run([id]);
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

  it('receives only what its filter names', async () => {
    const { events, stop } = await startEvents(setup.db);
    const [first = '', second = ''] = await setup.jobs.submit(2, {
      share: 'alpha/fast',
      owner: 'one@example',
      task: { id: 'task_1', index: 0 },
    });
    const [other = ''] = await setup.jobs.submit(1, {
      experiment: 'beta',
      share: 'beta/default',
      labels: [{ key: 'kind', value: 'test' }],
    });
    await waitFor('counts', () => events.counts.jobs.sum(() => true) === 3, { deadlineMs: 60_000 });
    const filters: [Parameters<EventsService['jobStateChanged']>[0], string[]][] = [
      [{ ids: [first] }, [`${first} ACTIVATED SENT`, `${first} SENT RUNNING`]],
      [{ taskIds: ['task_1'], states: ['RUNNING'] }, [`${first} SENT RUNNING`]],
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
      [{ queues: ['south', 'west'] }, [`${first} ACTIVATED SENT`, `${first} SENT RUNNING`]],
      [{ shares: ['alpha/fast'], states: ['CANCELLED'] }, [`${second} ACTIVATED CANCELLED`]],
      [{ owners: ['one@example'], states: ['SENT'] }, [`${first} ACTIVATED SENT`]],
    ];
    const subscribers = await Promise.all(
      filters.map(([filter]) => setup.subscribe(events, filter).opened()),
    );
    await setup.jobs.move([first], 'ACTIVATED', 'SENT', {}, 'south');
    await setup.jobs.move([first], 'SENT', 'RUNNING');
    await setup.jobs.move([second], 'ACTIVATED', 'CANCELLED');
    await setup.jobs.move([other], 'ACTIVATED', 'CANCELLED');
    await subscribers[2]?.until(1);
    expect(subscribers.map(({ lines }) => lines)).toEqual(filters.map(([, lines]) => lines));
    await stop();
  });

  it('never receives what it may not see, live, from the ring, or from the store', async () => {
    const reader = testPrincipal({ subject: 'reader@example', grants: { beta: 'READER' } });
    const first = await startEvents(setup.db, { ringSize: 4 });
    const opening = (await setup.subscribe(first.events, {}, undefined, reader).opened()).cursor;
    const live = setup.subscribe(first.events, {}, opening, reader);
    const hidden = await setup.jobs.submit(10);
    const [visible = ''] = await setup.jobs.submit(1, { experiment: 'beta', share: 'beta/default' });
    await live.until(1);
    const resumed = setup.subscribe(first.events, {}, opening, reader);
    await resumed.until(1);
    const narrowed = setup.subscribe(first.events, { ids: [...hidden, visible] }, opening, reader);
    await narrowed.until(1);
    for (const subscriber of [live, resumed, narrowed])
      expect(subscriber.lines).toEqual([`${visible} null ACTIVATED`]);
    const refused = setup.subscribe(first.events, { experiments: ['alpha'] }, undefined, reader);
    expect(await refused.ended).toMatchObject({ code: 'FORBIDDEN' });
    await first.stop();
  });
});
