import { describe, expect, test } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import { waitFor } from '@rhizome/testkit';
import type { TestSystem } from '../testing/test-system.js';
import { useStreamSystem } from '../testing/stream-system.js';
import { human, next, readTo, StreamTestSetup } from '../testing/stream-test-setup.js';

let house: TestSystem;
let room: StreamTestSetup;

useStreamSystem(
  (opened) => (house = opened),
  () => room,
);

describe('a broken upstream', () => {
  const broken = new DomainError('SERVICE_UNAVAILABLE', 'the connection broke');

  test('of a resumable field is opened again after the last cursor; nobody notices', async () => {
    room = await StreamTestSetup.open(house);
    const streams = [await room.subscribe(), await room.subscribe()];
    await Promise.all(streams.map(next));
    house.log.append('a');
    await Promise.all(streams.map(next));
    const { opened } = house.log;
    house.log.breakAll(broken);
    house.log.append('b');
    for (const stream of streams) expect(await readTo(stream, 'b')).toHaveLength(1);
    expect(house.log.opened).toBe(opened + 1);
    expect(room.counts.reopened).toEqual(['broken']);
    expect(house.log.openedAfter.at(-1)).toBe(`c${Number(house.log.cursor.slice(1)) - 1}`);
  });

  test('is given up after its time, with the cursor to go on from', async () => {
    room = await StreamTestSetup.open(house, { reopenForMs: 0 });
    const stream = await room.subscribe();
    const { cursor } = await next(stream);
    house.log.breakAll(broken);
    const last = await next(stream);
    expect(last).toMatchObject({ last: true, codes: ['SERVICE_UNAVAILABLE'] });
    expect(JSON.parse(last.text).errors[0].extensions).toMatchObject({ cursor, retry: 'later' });
  });

  test('of another field ends its clients with a clear error', async () => {
    room = await StreamTestSetup.open(house);
    const stream = await room.subscribe({ query: 'subscription { level { value } }' });
    await next(stream);
    house.log.breakAll(broken);
    expect(await next(stream)).toMatchObject({ last: true, codes: ['SERVICE_UNAVAILABLE'] });
    expect(room.counts.closed).toEqual(['failed']);
  });

  test('an error that no retry mends ends the stream at once', async () => {
    room = await StreamTestSetup.open(house);
    const stream = await room.subscribe();
    const { cursor } = await next(stream);
    house.log.breakAll(new DomainError('FORBIDDEN', 'no longer'));
    const last = await next(stream);
    expect(last.codes).toEqual(['FORBIDDEN']);
    expect(JSON.parse(last.text).errors[0].extensions.cursor).toBe(cursor);
  });

  test('that ends in order, as when its service stops, is opened again', async () => {
    room = await StreamTestSetup.open(house);
    const stream = await room.subscribe();
    await next(stream);
    house.log.endAll();
    house.log.append('later');
    expect(await readTo(stream, 'later')).toHaveLength(1);
    expect(room.counts.reopened).toEqual(['broken']);
  });

  test('that ends in order again has no more to say: its clients end in order, after what they have not read', async () => {
    room = await StreamTestSetup.open(house);
    const [quick, slow] = [await room.subscribe(), await room.subscribe()];
    await next(quick);
    house.log.append('a');
    await readTo(quick, 'a');
    house.log.isOver = true;
    house.log.endAll();
    expect((await quick.next()).done).toBe(true);
    expect(await readTo(slow, 'a')).toHaveLength(2);
    expect((await slow.next()).done).toBe(true);
    house.log.isOver = false;
    expect(room.counts.closed).toEqual(['complete', 'complete']);
  });

  test('of another field ends with its source', async () => {
    room = await StreamTestSetup.open(house);
    const stream = await room.subscribe({ query: 'subscription { level { value } }' });
    await next(stream);
    house.log.endAll();
    expect((await stream.next()).done).toBe(true);
  });
});

describe('tokens that end', () => {
  const soon = (ms: number) => new Date(room.clock.now().getTime() + ms);

  test('end their stream with a code and a cursor', async () => {
    room = await StreamTestSetup.open(house);
    const stream = await room.subscribe({ principal: human('a', soon(60)) });
    const { cursor } = await next(stream);
    room.clock.advance(60);
    const last = await next(stream);
    expect(last).toMatchObject({ last: true, codes: ['TOKEN_EXPIRED'] });
    expect(JSON.parse(last.text).errors[0].extensions).toMatchObject({ cursor });
    expect(room.counts.closed).toEqual(['expired']);
  });

  test('do not open a stream', async () => {
    room = await StreamTestSetup.open(house);
    expect(await next(await room.subscribe({ principal: human('a', soon(-1)) }))).toMatchObject({
      codes: ['TOKEN_EXPIRED'],
    });
    expect(room.counts.upstreams).toBe(0);
  });

  test('of the one who opened it do not end the stream of the others', async () => {
    room = await StreamTestSetup.open(house);
    const short = await room.subscribe({ principal: human('short', soon(3000)) });
    await next(short);
    const long = await room.subscribe({ principal: human('long', soon(3_600_000)) });
    await next(long);
    await waitFor('the upstream in another hand', () => room.counts.reopened.length === 1, {
      deadlineMs: 2000,
    });
    house.log.append('still');
    expect(await readTo(long, 'still')).toHaveLength(1);
    expect(await readTo(short, 'still')).toHaveLength(1);
    expect(house.log.open).toBe(1);
  });

  test('refused upstream are replaced by those of others', async () => {
    room = await StreamTestSetup.open(house);
    const [a, b] = [
      await room.subscribe({ principal: human('a') }),
      await room.subscribe({ principal: human('b', soon(9e6)) }),
    ];
    await Promise.all([next(a), next(b)]);
    house.log.breakAll(new DomainError('TOKEN_EXPIRED', 'the token of a ended'));
    await a.return();
    house.log.append('on');
    expect(await readTo(b, 'on')).toHaveLength(1);
  });
});

describe('a new supergraph', () => {
  test('streams stay open and lose and double nothing while it is swapped', async () => {
    room = await StreamTestSetup.open(house);
    const older = house.log.append('older');
    const old = house.log.append('before');
    const streams = await Promise.all(
      Array.from({ length: 100 }, (_, i) => room.subscribe({ principal: human(`u${i % 7}`) })),
    );
    const other = await room.subscribe({
      query: 'subscription { itemChanged { cursor item { id label name } } }',
    });
    const resumed = await room.subscribe({
      after: older,
      query: 'subscription ($after: String) { itemChanged(after: $after) { cursor item { id } } }',
    });
    const all = [...streams, other, resumed];
    for (const { cursor } of await Promise.all(all.map(next))) expect(cursor).toBe(old);
    const reads = all.map((stream) => readTo(stream, 'end'));
    for (let round = 0; round < 5; round++) {
      house.log.append(`r${round}`);
      await room.swap(round % 2 ? 'extra: String' : '');
      house.log.append(`s${round}`);
    }
    house.log.append('end');
    for (const seen of await Promise.all(reads)) {
      const numbers = seen.map((event) => Number(event.slice(1).split(' ')[0]));
      expect(numbers).toEqual(Array.from({ length: 11 }, (_, k) => Number(old.slice(1)) + 1 + k));
    }
    expect(room.counts.closed).toEqual([]);
    expect(room.holder.current.running.subscriptions).toBe(3);
  });

  test('a stream that it no longer allows ends with a clear code', async () => {
    room = await StreamTestSetup.open(house);
    await room.swap('extra: String');
    const stream = await room.subscribe({ query: 'subscription { itemChanged { item { extra } } }' });
    await next(stream);
    await room.swap();
    expect(await next(stream)).toMatchObject({ last: true, codes: ['SUBSCRIPTION_WITHDRAWN'] });
  });

  test('a stream that came to depend on who reads it is not handed to others', async () => {
    room = await StreamTestSetup.open(house);
    await room.swap('extra: String');
    const query = 'subscription { itemChanged { item { extra } } }';
    const streams = [
      await room.subscribe({ query, principal: human('a') }),
      await room.subscribe({ query, principal: human('b') }),
    ];
    await Promise.all(streams.map(next));
    await room.swap('extra: String @perPrincipal');
    for (const stream of streams)
      expect(await next(stream)).toMatchObject({ codes: ['SERVICE_UNAVAILABLE'] });
    const again = [
      await room.subscribe({ query, principal: human('a') }),
      await room.subscribe({ query, principal: human('b') }),
    ];
    await Promise.all(again.map(next));
    expect(house.log.open).toBe(2);
  });

  test('streams that cannot be resumed go on with what is then', async () => {
    room = await StreamTestSetup.open(house);
    const stream = await room.subscribe({ query: 'subscription { level { value } }' });
    const value = async () => JSON.parse((await next(stream)).text).data.level.value as number;
    const before = await value();
    await room.swap();
    expect(await value()).toBe(before);
    house.log.append('up');
    expect(await value()).toBe(before + 1);
  });
});
