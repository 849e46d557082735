import { describe, expect, it } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import type { TestSystem } from '../testing/test-system.js';
import { useStreamSystem } from '../testing/stream-system.js';
import { human, next, readTo, StreamTestSetup } from '../testing/stream-test-setup.js';

let system: TestSystem;
let setup: StreamTestSetup;

useStreamSystem(
  (opened) => (system = opened),
  () => setup,
);

describe('a broken upstream', () => {
  const broken = new DomainError('SERVICE_UNAVAILABLE', 'the connection broke');

  it('reopens a resumable field after the last cursor, unnoticed by clients', async () => {
    setup = await StreamTestSetup.open(system);
    const streams = [await setup.subscribe(), await setup.subscribe()];
    await Promise.all(streams.map(next));
    system.log.append('a');
    await Promise.all(streams.map(next));
    const { opened } = system.log;
    system.log.breakAll(broken);
    system.log.append('b');
    for (const stream of streams) expect(await readTo(stream, 'b')).toHaveLength(1);
    expect(system.log.opened).toBe(opened + 1);
    expect(setup.counts.reopened).toEqual(['broken']);
    expect(system.log.openedAfter.at(-1)).toBe(`c${Number(system.log.cursor.slice(1)) - 1}`);
  });

  it('gives up after its time, with the cursor to continue from', async () => {
    setup = await StreamTestSetup.open(system, { reopenForMs: 0 });
    const stream = await setup.subscribe();
    const { cursor } = await next(stream);
    system.log.breakAll(broken);
    const last = await next(stream);
    expect(last).toMatchObject({ last: true, codes: ['SERVICE_UNAVAILABLE'] });
    expect(JSON.parse(last.text).errors[0].extensions).toMatchObject({ cursor, retry: 'later' });
  });

  it('ends the clients of another field with a clear error', async () => {
    setup = await StreamTestSetup.open(system);
    const stream = await setup.subscribe({ query: 'subscription { level { value } }' });
    await next(stream);
    system.log.breakAll(broken);
    expect(await next(stream)).toMatchObject({ last: true, codes: ['SERVICE_UNAVAILABLE'] });
    expect(setup.counts.closed).toEqual(['failed']);
  });

  it('ends the stream immediately after an error that no retry can fix', async () => {
    setup = await StreamTestSetup.open(system);
    const stream = await setup.subscribe();
    const { cursor } = await next(stream);
    system.log.breakAll(new DomainError('FORBIDDEN', 'no longer'));
    const last = await next(stream);
    expect(last.codes).toEqual(['FORBIDDEN']);
    expect(JSON.parse(last.text).errors[0].extensions.cursor).toBe(cursor);
  });

  it('reopens after an end in order, as when its service stops', async () => {
    setup = await StreamTestSetup.open(system);
    const stream = await setup.subscribe();
    await next(stream);
    system.log.endAll();
    system.log.append('later');
    expect(await readTo(stream, 'later')).toHaveLength(1);
    expect(setup.counts.reopened).toEqual(['broken']);
  });

  it('ends its clients in order after a second end in order, once they have read everything', async () => {
    setup = await StreamTestSetup.open(system);
    const [quick, slow] = [await setup.subscribe(), await setup.subscribe()];
    await next(quick);
    system.log.append('a');
    await readTo(quick, 'a');
    system.log.isOver = true;
    system.log.endAll();
    expect((await quick.next()).done).toBe(true);
    expect(await readTo(slow, 'a')).toHaveLength(2);
    expect((await slow.next()).done).toBe(true);
    system.log.isOver = false;
    expect(setup.counts.closed).toEqual(['complete', 'complete']);
  });

  it('ends the stream of another field with its source', async () => {
    setup = await StreamTestSetup.open(system);
    const stream = await setup.subscribe({ query: 'subscription { level { value } }' });
    await next(stream);
    system.log.endAll();
    expect((await stream.next()).done).toBe(true);
  });
});

describe('expiring tokens', () => {
  const soon = (ms: number) => new Date(setup.clock.now().getTime() + ms);

  it('ends a stream with a code and a cursor', async () => {
    setup = await StreamTestSetup.open(system);
    const stream = await setup.subscribe({ principal: human('a', soon(60)) });
    const { cursor } = await next(stream);
    setup.clock.advance(60);
    const last = await next(stream);
    expect(last).toMatchObject({ last: true, codes: ['TOKEN_EXPIRED'] });
    expect(JSON.parse(last.text).errors[0].extensions).toMatchObject({ cursor });
    expect(setup.counts.closed).toEqual(['expired']);
  });

  it('opens no stream', async () => {
    setup = await StreamTestSetup.open(system);
    expect(await next(await setup.subscribe({ principal: human('a', soon(-1)) }))).toMatchObject({
      codes: ['TOKEN_EXPIRED'],
    });
    expect(setup.counts.upstreams).toBe(0);
  });

  it("keeps the stream of the others when the opener's token expires", async () => {
    setup = await StreamTestSetup.open(system);
    const short = await setup.subscribe({ principal: human('short', soon(3000)) });
    await next(short);
    const long = await setup.subscribe({ principal: human('long', soon(3_600_000)) });
    await next(long);
    setup.clock.advance(3000);
    expect(await next(short)).toMatchObject({ last: true, codes: ['TOKEN_EXPIRED'] });
    system.log.append('still');
    expect(await readTo(long, 'still')).toHaveLength(1);
    expect([system.log.open, setup.counts.reopened]).toEqual([1, []]);
  });

  it('replaces tokens that are refused upstream by those of others', async () => {
    setup = await StreamTestSetup.open(system);
    const [a, b] = [
      await setup.subscribe({ principal: human('a') }),
      await setup.subscribe({ principal: human('b', soon(9e6)) }),
    ];
    await Promise.all([next(a), next(b)]);
    system.log.breakAll(new DomainError('TOKEN_EXPIRED', 'the token of a ended'));
    await a.return();
    system.log.append('on');
    expect(await readTo(b, 'on')).toHaveLength(1);
  });
});

describe('a new supergraph', () => {
  it('keeps streams open, with each event once, during the swap', async () => {
    setup = await StreamTestSetup.open(system);
    const older = system.log.append('older');
    const old = system.log.append('before');
    const streams = await Promise.all(
      Array.from({ length: 100 }, (_, i) => setup.subscribe({ principal: human(`u${i % 7}`) })),
    );
    const other = await setup.subscribe({
      query: 'subscription { itemChanged { cursor item { id label name } } }',
    });
    const resumed = await setup.subscribe({
      after: older,
      query: 'subscription ($after: String) { itemChanged(after: $after) { cursor item { id } } }',
    });
    const all = [...streams, other, resumed];
    for (const { cursor } of await Promise.all(all.map(next))) expect(cursor).toBe(old);
    const reads = all.map((stream) => readTo(stream, 'end'));
    for (let round = 0; round < 5; round++) {
      system.log.append(`r${round}`);
      await setup.swap(round % 2 ? 'extra: String' : '');
      system.log.append(`s${round}`);
    }
    system.log.append('end');
    for (const seen of await Promise.all(reads)) {
      const numbers = seen.map((event) => Number(event.slice(1).split(' ')[0]));
      expect(numbers).toEqual(Array.from({ length: 11 }, (_, k) => Number(old.slice(1)) + 1 + k));
    }
    expect(setup.counts.closed).toEqual([]);
    expect(setup.holder.current.running.subscriptions).toBe(3);
  });

  it('ends a stream that it no longer allows with a clear code', async () => {
    setup = await StreamTestSetup.open(system);
    await setup.swap('extra: String');
    const stream = await setup.subscribe({ query: 'subscription { itemChanged { item { extra } } }' });
    await next(stream);
    await setup.swap();
    expect(await next(stream)).toMatchObject({ last: true, codes: ['SUBSCRIPTION_WITHDRAWN'] });
  });

  it('never shares a stream that now depends on its reader', async () => {
    setup = await StreamTestSetup.open(system);
    await setup.swap('extra: String');
    const query = 'subscription { itemChanged { item { extra } } }';
    const streams = [
      await setup.subscribe({ query, principal: human('a') }),
      await setup.subscribe({ query, principal: human('b') }),
    ];
    await Promise.all(streams.map(next));
    await setup.swap('extra: String @perPrincipal');
    for (const stream of streams)
      expect(await next(stream)).toMatchObject({ codes: ['SERVICE_UNAVAILABLE'] });
    const again = [
      await setup.subscribe({ query, principal: human('a') }),
      await setup.subscribe({ query, principal: human('b') }),
    ];
    await Promise.all(again.map(next));
    expect(system.log.open).toBe(2);
  });

  it('continues streams without cursors from the present state', async () => {
    setup = await StreamTestSetup.open(system);
    const stream = await setup.subscribe({ query: 'subscription { level { value } }' });
    const value = async () => JSON.parse((await next(stream)).text).data.level.value as number;
    const before = await value();
    await setup.swap();
    expect(await value()).toBe(before);
    system.log.append('up');
    expect(await value()).toBe(before + 1);
  });
});
