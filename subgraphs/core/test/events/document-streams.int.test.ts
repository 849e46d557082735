import { describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import { pilotOf } from '../support/core.fixture.js';
import {
  eventsOf,
  liveCore,
  messagesOf,
  registerWorker,
  untilReceived,
} from '../support/live-core.fixture.js';

const live = liveCore();
const { opened } = live;

const queues = `subscription ($filter: QueueFilter, $after: String) {
  queueChanged(filter: $filter, after: $after) { cursor event { queue { name site { name } state } } }
}`;
const workers = `subscription ($filter: WorkerFilter, $after: String) {
  workerChanged(filter: $filter, after: $after) { cursor event { worker { id name state queue { name } devices { id health } } } }
}`;

async function setState(name: string, state: string): Promise<void> {
  const input = { name, state, reason: 'test' };
  await live.core.ask(
    'mutation ($input: SetQueueStateInput!) { setQueueState(input: $input) { userErrors { message } } }',
    { input },
  );
}

async function createQueue(name: string, site: string, experiments: readonly string[] = []): Promise<void> {
  const input = { name, site, experiments };
  await live.core.ask(
    'mutation ($input: CreateQueueInput!) { createQueue(input: $input) { userErrors { message } } }',
    { input },
  );
}

describe('queueChanged', () => {
  it('delivers an opening cursor, then each change with the current queue, restricted by filter and access', async () => {
    const all = await opened(queues);
    const polar = await opened(queues, {
      filter: { sites: ['Pole'], names: ['north'], states: ['PAUSED'], experiments: ['alpha'] },
    });
    const stranger = testPrincipal({ subject: 'reader@example', grants: { beta: 'READER' } });
    const limited = await opened(queues, {}, stranger);
    expect(messagesOf(all)[0]).toEqual({ cursor: expect.any(String), event: null });
    await createQueue('south', 'Sea', ['alpha']);
    await untilReceived(all, 2);
    await setState('north', 'PAUSED');
    await untilReceived(all, 3);
    await untilReceived(polar, 2);
    await untilReceived(limited, 2);
    expect(eventsOf(all).map((event) => event && event['queue'])).toEqual([
      null,
      { name: 'south', site: { name: 'Sea' }, state: 'ONLINE' },
      { name: 'north', site: { name: 'Pole' }, state: 'PAUSED' },
    ]);
    for (const stream of [polar, limited])
      expect(eventsOf(stream).map((event) => event?.['queue']?.['name'])).toEqual([undefined, 'north']);
  });

  it('resumes after a cursor, from memory and, after a restart, from the change stream', async () => {
    const first = await opened(queues);
    for (const state of ['PAUSED', 'ONLINE', 'BROKEROFF']) {
      const before = first.results.length;
      await setState('north', state);
      await untilReceived(first, before + 1);
    }
    const after = messagesOf(first)[1]?.['cursor'];
    const resumed = await opened(queues, { after });
    // Several pending writes are combined into one message.
    expect(messagesOf(resumed).map(({ event, cursor }) => [event?.['queue']?.['state'], cursor])).toEqual([
      ['BROKEROFF', messagesOf(first)[3]?.['cursor']],
    ]);
    await live.restart();
    const again = await opened(queues, { after });
    expect(messagesOf(again).at(-1)?.['event']?.['queue']?.['state']).toBe('BROKEROFF');
    await setState('north', 'OFFLINE');
    await waitFor(
      'the next change',
      () => messagesOf(again).at(-1)?.['event']?.['queue']?.['state'] === 'OFFLINE',
      {
        deadlineMs: 60_000,
      },
    );
  });

  it('refuses invalid cursors and too many names', async () => {
    const junk = live.core.subscribe(queues, { after: 'e1.AAAA' });
    await junk.ended;
    expect(junk.results[0]?.errors?.[0]?.extensions?.['code']).toBe('CURSOR_INVALID');
    const many = live.core.subscribe(queues, { filter: { names: Array.from({ length: 1001 }, String) } });
    await many.ended;
    expect(many.results[0]?.errors?.[0]?.message).toContain('filter.names');
  });
});

describe('workerChanged', () => {
  it('delivers registrations, hardware changes and ends, but no heartbeats', async () => {
    const all = await opened(workers);
    const drained = await opened(workers, { filter: { queues: ['north'], states: ['DRAINING'] } });
    const id = await registerWorker(live.core, 'one', [
      { id: 'GPU-1', vendor: 'NVIDIA', model: 'L4', health: 'HEALTHY' },
    ]);
    await untilReceived(all, 2);
    const beat = async (more: object) =>
      live.core.ask(
        'mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { userErrors { message } } }',
        { input: { workerId: id, ...more } },
        pilotOf('north'),
      );
    await beat({});
    await beat({ devices: [{ id: 'GPU-1', vendor: 'NVIDIA', model: 'L4', health: 'UNHEALTHY' }] });
    await untilReceived(all, 3);
    await live.core.ask(
      'mutation ($input: DrainWorkerInput!) { drainWorker(input: $input) { userErrors { message } } }',
      { input: { workerId: id } },
      pilotOf('north'),
    );
    await untilReceived(drained, 2);
    await untilReceived(all, 4);
    expect(
      eventsOf(all).map(
        (event) => event && [event['worker']?.['state'], event['worker']?.['devices']?.[0]?.['health']],
      ),
    ).toEqual([null, ['READY', 'HEALTHY'], ['READY', 'UNHEALTHY'], ['DRAINING', 'UNHEALTHY']]);
    expect(eventsOf(drained)[1]?.['worker']).toMatchObject({
      id,
      queue: { name: 'north' },
      state: 'DRAINING',
    });
  });
});
