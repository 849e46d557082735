import { describe, expect, test } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import type { TestSystem } from '../testing/test-system.js';
import { useStreamSystem } from '../testing/stream-system.js';
import { changes, human, next, readTo, StreamTestSetup } from '../testing/stream-test-setup.js';
import type { ClientStream } from './client-stream.js';

let house: TestSystem;
let room: StreamTestSetup;

useStreamSystem(
  (opened) => (house = opened),
  () => room,
);

describe('shared streams', () => {
  test('1,000 clients with equal rights are one upstream and one text an event; the last to leave ends it', async () => {
    room = await StreamTestSetup.open(house);
    const streams = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => room.subscribe({ principal: human(`u${i}`) })),
    );
    await Promise.all(streams.map(next));
    expect([house.log.open, room.counts.upstreams]).toEqual([1, 1]);
    house.log.append('shared');
    const events = await Promise.all(streams.map(next));
    expect(new Set(events).size).toBe(1);
    for (const stream of streams.slice(1)) await stream.return();
    expect(house.log.open).toBe(1);
    house.log.append('alone');
    expect((await next(streams[0] as ClientStream)).text).toContain('alone');
    await streams[0]?.return();
    await waitFor('the end of the upstream', () => house.log.open === 0, { deadlineMs: 500 });
  });

  test('other rights, other variables and other documents are upstreams of their own', async () => {
    room = await StreamTestSetup.open(house);
    await room.subscribe({ principal: human('a') });
    await room.subscribe({ principal: testPrincipal({ grants: { beta: 'USER' } }) });
    await room.subscribe({ principal: testPrincipal({ kind: 'SERVICE', grants: { beta: 'READER' } }) });
    await room.subscribe({ principal: human('a'), query: 'subscription { itemChanged { cursor } }' });
    await room.subscribe({ principal: human('b'), query: 'subscription Other { itemChanged { cursor } }' });
    await room.subscribe({
      principal: human('a'),
      query: 'subscription { itemChanged(name: "x") { cursor } }',
    });
    await waitFor('six upstreams', () => house.log.open === 6, { deadlineMs: 500 });
  });

  test('spellings of one document are one', async () => {
    room = await StreamTestSetup.open(house);
    await room.subscribe();
    await room.subscribe({ query: `${changes.replace('{ itemChanged', '{\n  # spelled\n  itemChanged')}` });
    await room.subscribe({ query: 'subscription { itemChanged { cursor item { id label } } }' });
    await waitFor('the upstream', () => house.log.open === 1, { deadlineMs: 500 });
    expect(room.counts.upstreams).toBe(1);
  });

  test('those who come late are opened with the cursor of now', async () => {
    room = await StreamTestSetup.open(house);
    const first = await room.subscribe();
    await next(first);
    const cursor = house.log.append('before');
    await readTo(first, 'before');
    const late = await room.subscribe();
    const opening = await next(late);
    expect(opening).toMatchObject({
      cursor,
      text: `{"data":{"itemChanged":{"cursor":"${cursor}","item":null}}}`,
    });
    house.log.append('after');
    expect(await readTo(late, 'after')).toHaveLength(1);
    expect(room.counts.upstreams).toBe(1);
  });

  test('fields that depend on who asks are shared by one subject only', async () => {
    room = await StreamTestSetup.open(house);
    const query = 'subscription { itemChanged { item { seenBy } } }';
    const streams = await Promise.all(
      ['ann', 'ben', 'ann'].map((name) => room.subscribe({ query, principal: human(name) })),
    );
    await Promise.all(streams.map(next));
    expect(house.log.open).toBe(2);
    house.log.append('x');
    const seen = await Promise.all(streams.map(async (stream) => JSON.parse((await next(stream)).text)));
    expect(seen.map(({ data }) => data.itemChanged.item.seenBy)).toEqual(['ann', 'ben', 'ann']);
  });

  test('what a person or a pilot is told once is shared by nobody', async () => {
    room = await StreamTestSetup.open(house);
    const pilot = (queue: string) =>
      testPrincipal({ kind: 'PILOT', subject: `pilot:${queue}`, grants: 'PILOT' });
    const query = 'subscription { level { value } }';
    for (const queue of ['a', 'a', 'b']) await next(await room.subscribe({ query, principal: pilot(queue) }));
    expect([house.log.open, room.counts.upstreams]).toEqual([3, 3]);
  });

  test('pilots of two queues, and services of two experiments, share nothing', async () => {
    room = await StreamTestSetup.open(house);
    for (const subject of ['pilot:a', 'pilot:b', 'pilot:b']) {
      await room.subscribe({ principal: testPrincipal({ kind: 'PILOT', subject, grants: 'PILOT' }) });
    }
    for (const subject of ['experiment:beta', 'experiment:gamma']) {
      await room.subscribe({
        principal: testPrincipal({ kind: 'SERVICE', subject, grants: { beta: 'READER' } }),
      });
    }
    await waitFor('four upstreams', () => house.log.open === 4, { deadlineMs: 500 });
  });

  test('an agent shares such fields with others for the same human only', async () => {
    room = await StreamTestSetup.open(house);
    const query = 'subscription { itemChanged { item { seenBy } } }';
    const agent = (actsFor: string) =>
      testPrincipal({ kind: 'AGENT', subject: 'bot', actsFor, grants: { beta: 'READER' } });
    await Promise.all(['ann', 'ben', 'ann'].map((name) => room.subscribe({ query, principal: agent(name) })));
    await waitFor('two upstreams', () => house.log.open === 2, { deadlineMs: 500 });
  });
});

describe('laggards', () => {
  test('one who does not read is told where to go on; the others are not kept waiting', async () => {
    room = await StreamTestSetup.open(house, { bufferedEvents: 10 });
    const [quick, slow] = [await room.subscribe(), await room.subscribe()];
    await Promise.all([next(quick), next(slow)]);
    const cursor = house.log.append('first');
    await Promise.all([readTo(quick, 'first'), readTo(slow, 'first')]);
    for (let i = 0; i < 100; i++) {
      house.log.append(`e${i}`);
      await readTo(quick, `e${i}`);
    }
    const last = await next(slow);
    expect(last).toMatchObject({ last: true, codes: ['SUBSCRIPTION_LAGGED'] });
    expect(JSON.parse(last.text).errors[0].extensions).toMatchObject({ cursor, retry: 'now' });
    expect(room.counts.closed).toEqual(['lagged']);
    const back = await room.subscribe({ after: cursor });
    expect(await readTo(back, 'e99')).toHaveLength(100);
  });
});

describe('streams of fields that begin with the present state', () => {
  test('give it to each who comes, and share what follows', async () => {
    room = await StreamTestSetup.open(house);
    const query = 'subscription { level { value } }';
    const value = async (stream: ClientStream) =>
      JSON.parse((await next(stream)).text).data.level.value as number;
    const first = await room.subscribe({ query });
    const at = await value(first);
    const second = await room.subscribe({ query });
    expect(await value(second)).toBe(at);
    await waitFor('one upstream', () => house.log.open === 1, { deadlineMs: 500 });
    house.log.append('up');
    expect(await Promise.all([value(first), value(second)])).toEqual([at + 1, at + 1]);
    expect(room.counts.upstreams).toBe(1);
  });
});

describe('bounds and endings', () => {
  test('too many streams in all, or of one subject, are refused', async () => {
    room = await StreamTestSetup.open(house, { streams: 3, streamsPerSubject: 2 });
    await room.subscribe({ principal: human('a') });
    await room.subscribe({ principal: human('a') });
    const third = await room.subscribe({ principal: human('a') });
    expect(await next(third)).toMatchObject({ last: true, codes: ['LIMIT_EXCEEDED'] });
    const other = await room.subscribe({ principal: human('b') });
    await next(other);
    expect(await next(await room.subscribe({ principal: human('c') }))).toMatchObject({
      codes: ['LIMIT_EXCEEDED'],
    });
    await other.return();
    await next(await room.subscribe({ principal: human('c') }));
  });

  test('shutdown closes resumable streams with their cursors first, then the rest', async () => {
    room = await StreamTestSetup.open(house);
    const [resumable, plain] = [
      await room.subscribe(),
      await room.subscribe({ query: 'subscription { level { value } }' }),
    ];
    const { cursor } = await next(resumable);
    await next(plain);
    room.hub.shutDown('resumable');
    const last = await next(resumable);
    expect(JSON.parse(last.text).errors[0].extensions).toMatchObject({
      code: 'SHUTTING_DOWN',
      cursor,
      retry: 'now',
    });
    expect(room.hub.open.streams).toBe(1);
    room.hub.shutDown('all');
    expect(await next(plain)).toMatchObject({ last: true, codes: ['SHUTTING_DOWN'] });
    expect(room.counts.closed).toEqual(['shutdown', 'shutdown']);
  });

  test("an error of one event is that event's own", async () => {
    room = await StreamTestSetup.open(house);
    const stream = await room.subscribe();
    await next(stream);
    const seen: [string[], unknown][] = [];
    for (const id of ['fine', 'bad', 'fine again']) {
      house.log.append(id);
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
