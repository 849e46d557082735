import { describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import type { TestSystem } from '../testing/test-system.js';
import { useStreamSystem } from '../testing/stream-system.js';
import { changes, human, next, readTo, StreamTestSetup } from '../testing/stream-test-setup.js';
import type { ClientStream } from './client-stream.js';

let system: TestSystem;
let setup: StreamTestSetup;

useStreamSystem(
  (opened) => (system = opened),
  () => setup,
);

describe('shared streams', () => {
  it('needs one upstream and one text per event for 1,000 clients with equal permissions, until the last one leaves', async () => {
    setup = await StreamTestSetup.open(system);
    const streams = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => setup.subscribe({ principal: human(`u${i}`) })),
    );
    await Promise.all(streams.map(next));
    expect([system.log.open, setup.counts.upstreams]).toEqual([1, 1]);
    system.log.append('shared');
    const events = await Promise.all(streams.map(next));
    expect(new Set(events).size).toBe(1);
    for (const stream of streams.slice(1)) await stream.return();
    expect(system.log.open).toBe(1);
    system.log.append('alone');
    expect((await next(streams[0] as ClientStream)).text).toContain('alone');
    await streams[0]?.return();
    await waitFor('the end of the upstream', () => system.log.open === 0, { deadlineMs: 500 });
  });

  it('opens separate upstreams for other permissions, variables and documents', async () => {
    setup = await StreamTestSetup.open(system);
    await setup.subscribe({ principal: human('a') });
    await setup.subscribe({ principal: testPrincipal({ grants: { beta: 'USER' } }) });
    await setup.subscribe({ principal: testPrincipal({ kind: 'SERVICE', grants: { beta: 'READER' } }) });
    await setup.subscribe({ principal: human('a'), query: 'subscription { itemChanged { cursor } }' });
    await setup.subscribe({ principal: human('b'), query: 'subscription Other { itemChanged { cursor } }' });
    await setup.subscribe({
      principal: human('a'),
      query: 'subscription { itemChanged(name: "x") { cursor } }',
    });
    await waitFor('six upstreams', () => system.log.open === 6, { deadlineMs: 500 });
  });

  it('shares equivalent spellings of one document', async () => {
    setup = await StreamTestSetup.open(system);
    await setup.subscribe();
    await setup.subscribe({ query: `${changes.replace('{ itemChanged', '{\n  # spelled\n  itemChanged')}` });
    await setup.subscribe({ query: 'subscription { itemChanged { cursor item { id label } } }' });
    await waitFor('the upstream', () => system.log.open === 1, { deadlineMs: 500 });
    expect(setup.counts.upstreams).toBe(1);
  });

  it('opens late subscribers with the current cursor', async () => {
    setup = await StreamTestSetup.open(system);
    const first = await setup.subscribe();
    await next(first);
    const cursor = system.log.append('before');
    await readTo(first, 'before');
    const late = await setup.subscribe();
    const opening = await next(late);
    expect(opening).toMatchObject({
      cursor,
      text: `{"data":{"itemChanged":{"cursor":"${cursor}","item":null}}}`,
    });
    system.log.append('after');
    expect(await readTo(late, 'after')).toHaveLength(1);
    expect(setup.counts.upstreams).toBe(1);
  });

  it('shares caller-dependent fields within one subject only', async () => {
    setup = await StreamTestSetup.open(system);
    const query = 'subscription { itemChanged { item { seenBy } } }';
    const streams = await Promise.all(
      ['ann', 'ben', 'ann'].map((name) => setup.subscribe({ query, principal: human(name) })),
    );
    await Promise.all(streams.map(next));
    expect(system.log.open).toBe(2);
    system.log.append('x');
    const seen = await Promise.all(streams.map(async (stream) => JSON.parse((await next(stream)).text)));
    expect(seen.map(({ data }) => data.itemChanged.item.seenBy)).toEqual(['ann', 'ben', 'ann']);
  });

  it('never shares events that a person or a pilot receives once', async () => {
    setup = await StreamTestSetup.open(system);
    const pilot = (queue: string) =>
      testPrincipal({ kind: 'PILOT', subject: `pilot:${queue}`, grants: 'PILOT' });
    const query = 'subscription { level { value } }';
    for (const queue of ['a', 'a', 'b'])
      await next(await setup.subscribe({ query, principal: pilot(queue) }));
    expect([system.log.open, setup.counts.upstreams]).toEqual([3, 3]);
  });

  it('never shares between pilots of two queues, or services of two experiments', async () => {
    setup = await StreamTestSetup.open(system);
    for (const subject of ['pilot:a', 'pilot:b', 'pilot:b']) {
      await setup.subscribe({ principal: testPrincipal({ kind: 'PILOT', subject, grants: 'PILOT' }) });
    }
    for (const subject of ['experiment:beta', 'experiment:gamma']) {
      await setup.subscribe({
        principal: testPrincipal({ kind: 'SERVICE', subject, grants: { beta: 'READER' } }),
      });
    }
    await waitFor('four upstreams', () => system.log.open === 4, { deadlineMs: 500 });
  });

  it("shares an agent's caller-dependent fields only for the same human", async () => {
    setup = await StreamTestSetup.open(system);
    const query = 'subscription { itemChanged { item { seenBy } } }';
    const agent = (actsFor: string) =>
      testPrincipal({ kind: 'AGENT', subject: 'bot', actsFor, grants: { beta: 'READER' } });
    await Promise.all(
      ['ann', 'ben', 'ann'].map((name) => setup.subscribe({ query, principal: agent(name) })),
    );
    await waitFor('two upstreams', () => system.log.open === 2, { deadlineMs: 500 });
  });
});

describe('slow consumers', () => {
  it('receives the cursor to continue from, without delaying the others', async () => {
    setup = await StreamTestSetup.open(system, { bufferedEvents: 10 });
    const [quick, slow] = [await setup.subscribe(), await setup.subscribe()];
    await Promise.all([next(quick), next(slow)]);
    const cursor = system.log.append('first');
    await Promise.all([readTo(quick, 'first'), readTo(slow, 'first')]);
    for (let i = 0; i < 100; i++) {
      system.log.append(`e${i}`);
      await readTo(quick, `e${i}`);
    }
    const last = await next(slow);
    expect(last).toMatchObject({ last: true, codes: ['SUBSCRIPTION_LAGGED'] });
    expect(JSON.parse(last.text).errors[0].extensions).toMatchObject({ cursor, retry: 'now' });
    expect(setup.counts.closed).toEqual(['lagged']);
    const back = await setup.subscribe({ after: cursor });
    expect(await readTo(back, 'e99')).toHaveLength(100);
  });
});

describe('streams of fields that begin with the present state', () => {
  it('sends the state to each new client, and shares what follows', async () => {
    setup = await StreamTestSetup.open(system);
    const query = 'subscription { level { value } }';
    const value = async (stream: ClientStream) =>
      JSON.parse((await next(stream)).text).data.level.value as number;
    const first = await setup.subscribe({ query });
    const at = await value(first);
    const second = await setup.subscribe({ query });
    expect(await value(second)).toBe(at);
    await waitFor('one upstream', () => system.log.open === 1, { deadlineMs: 500 });
    system.log.append('up');
    expect(await Promise.all([value(first), value(second)])).toEqual([at + 1, at + 1]);
    expect(setup.counts.upstreams).toBe(1);
  });
});

describe('bounds and endings', () => {
  it('refuses too many streams in total or per subject', async () => {
    setup = await StreamTestSetup.open(system, { streams: 3, streamsPerSubject: 2 });
    await setup.subscribe({ principal: human('a') });
    await setup.subscribe({ principal: human('a') });
    const third = await setup.subscribe({ principal: human('a') });
    expect(await next(third)).toMatchObject({ last: true, codes: ['LIMIT_EXCEEDED'] });
    const other = await setup.subscribe({ principal: human('b') });
    await next(other);
    expect(await next(await setup.subscribe({ principal: human('c') }))).toMatchObject({
      codes: ['LIMIT_EXCEEDED'],
    });
    await other.return();
    await next(await setup.subscribe({ principal: human('c') }));
  });

  it('closes resumable streams with their cursors first on shutdown, then the others', async () => {
    setup = await StreamTestSetup.open(system);
    const [resumable, plain] = [
      await setup.subscribe(),
      await setup.subscribe({ query: 'subscription { level { value } }' }),
    ];
    const { cursor } = await next(resumable);
    await next(plain);
    setup.hub.shutDown('resumable');
    const last = await next(resumable);
    expect(JSON.parse(last.text).errors[0].extensions).toMatchObject({
      code: 'SHUTTING_DOWN',
      cursor,
      retry: 'now',
    });
    expect(setup.hub.open.streams).toBe(1);
    setup.hub.shutDown('all');
    expect(await next(plain)).toMatchObject({ last: true, codes: ['SHUTTING_DOWN'] });
    expect(setup.counts.closed).toEqual(['shutdown', 'shutdown']);
  });

  it("keeps an event's error to that event", async () => {
    setup = await StreamTestSetup.open(system);
    const stream = await setup.subscribe();
    await next(stream);
    const seen: [string[], unknown][] = [];
    for (const id of ['fine', 'bad', 'fine again']) {
      system.log.append(id);
      const { codes, text } = await next(stream);
      seen.push([[...codes], JSON.parse(text).data.itemChanged.item]);
    }
    expect(seen).toEqual([
      [[], { id: 'fine', label: 'label of fine' }],
      [['NOT_FOUND'], { id: 'bad', label: null }],
      [[], { id: 'fine again', label: 'label of fine again' }],
    ]);
  });
});
