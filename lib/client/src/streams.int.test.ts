import { describe, expect, it } from '@jest/globals';
import { GraphQLError } from 'graphql';
import type { SnapshotTaken } from './resuming-stream.js';
import { countDocument, streamSetup, take, until } from './testing/streams-setup.fixture.js';

const setup = streamSetup();
const { reconnects, resumable } = setup;

describe('resumable stream', () => {
  it('continues after its last cursor when the connection breaks: nothing lost, nothing repeated', async () => {
    const stream = setup.client().subscribeResumable(countDocument, {}, resumable);
    setup.server.to(3);
    expect(await take(stream, 3)).toEqual([1, 2, 3]);
    const next = take(stream, 2);
    setup.server.drop();
    setup.server.to(5);
    expect(await next).toEqual([4, 5]);
    expect(setup.server.afters).toEqual([undefined, '3']);
    expect(reconnects).toMatchObject([{ attempt: 1, cursor: '3', error: { code: 'SERVICE_UNAVAILABLE' } }]);
  });

  it.each([
    ['a drain', 1001, 'Going away', 'SHUTTING_DOWN'],
    ['a close with a code of the catalogue', 4429, 'SUBSCRIPTION_LAGGED', 'SUBSCRIPTION_LAGGED'],
  ])('continues after %s', async (_what, close, reason, code) => {
    const stream = setup.client().subscribeResumable(countDocument, {}, resumable);
    setup.server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    const next = take(stream, 1);
    setup.server.drop(close, reason);
    setup.server.to(2);
    expect(await next).toEqual([2]);
    expect(reconnects[0]?.error).toMatchObject({ code });
  });

  it('continues after an outage of the server', async () => {
    const stream = setup.client().subscribeResumable(countDocument, {}, resumable);
    setup.server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    const next = take(stream, 1);
    await setup.server.stop();
    await until(() => reconnects.length >= 3);
    await setup.server.start();
    setup.server.to(2);
    expect(await next).toEqual([2]);
    expect(setup.server.afters.at(-1)).toBe('1');
    expect(reconnects.map(({ attempt }) => attempt)).toEqual(reconnects.map((_, at) => at + 1));
  });

  it('starts at the cursor in its variables', async () => {
    setup.server.to(9);
    const stream = setup.client().subscribeResumable(countDocument, { after: '7' }, resumable);
    expect(await take(stream, 2)).toEqual([8, 9]);
  });

  it('continues after a transient error and throws a permanent one', async () => {
    const stream = setup.client().subscribeResumable(countDocument, {}, resumable);
    setup.server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    setup.server.instead = new GraphQLError('behind', { extensions: { code: 'SUBSCRIPTION_LAGGED' } });
    const next = take(stream, 1);
    setup.server.wake();
    setup.server.to(2);
    expect(await next).toEqual([2]);
    setup.server.instead = new GraphQLError('too late', {
      extensions: { code: 'CURSOR_EXPIRED', oldest: '5' },
    });
    const last = stream.next();
    setup.server.wake();
    await expect(last).rejects.toMatchObject({ code: 'CURSOR_EXPIRED', details: { oldest: '5' } });
    expect(await stream.next()).toEqual({ value: undefined, done: true });
  });

  it('starts again after an expired cursor and reports the gap first', async () => {
    const snapshots: SnapshotTaken[] = [];
    const order: string[] = [];
    const onSnapshot = async (event: SnapshotTaken) => {
      await new Promise((resolve) => setImmediate(resolve));
      snapshots.push(event);
      order.push('snapshot');
    };
    const stream = setup
      .client()
      .subscribeResumable(countDocument, { after: '4' }, { ...resumable, onSnapshot });
    setup.server.to(6);
    expect(await take(stream, 2)).toEqual([5, 6]);
    setup.server.instead = new GraphQLError('too late', { extensions: { code: 'CURSOR_EXPIRED' } });
    const next = take(stream, 1).then((values) => {
      order.push('value');
      return values;
    });
    setup.server.wake();
    expect(await next).toEqual([1]);
    expect(setup.server.afters).toEqual(['4', undefined]);
    expect(order).toEqual(['snapshot', 'value']);
    expect(snapshots).toMatchObject([{ lostAfter: '6', cursor: '1', error: { code: 'CURSOR_EXPIRED' } }]);
  });

  it('starts again if its first cursor has expired', async () => {
    const snapshots: SnapshotTaken[] = [];
    setup.server.instead = new GraphQLError('too late', { extensions: { code: 'CURSOR_EXPIRED' } });
    setup.server.to(1);
    const stream = setup
      .client()
      .subscribeResumable(
        countDocument,
        { after: '9' },
        { ...resumable, onSnapshot: (event) => void snapshots.push(event) },
      );
    expect(await take(stream, 1)).toEqual([1]);
    expect(setup.server.afters).toEqual(['9', undefined]);
    expect(snapshots).toMatchObject([{ lostAfter: undefined, cursor: '1' }]);
  });

  it('stops after the allowed number of attempts', async () => {
    await setup.server.stop();
    const asked = setup
      .client({ reconnect: { initialDelayMs: 1, maxDelayMs: 2, attempts: 3 } })
      .subscribeResumable(countDocument, {}, resumable);
    await expect(asked.next()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(reconnects).toHaveLength(3);
    await setup.server.start();
  });

  it('throws an error of its consumer to the consumer', async () => {
    setup.server.to(1);
    const cursorOf = () => {
      throw new TypeError('no cursor here');
    };
    const stream = setup.client().subscribeResumable(countDocument, {}, { cursorOf });
    await stream.next();
    await expect(stream.next()).rejects.toThrow('no cursor here');
  });
});

describe('stream', () => {
  it('ends at once when the consumer leaves it, also during a wait, and notifies the server', async () => {
    const stream = setup.client().subscribeResumable(countDocument, {}, resumable);
    const waiting = stream.next();
    await until(() => setup.server.afters.length === 1);
    await stream.return?.();
    expect(await waiting).toEqual({ value: undefined, done: true });
    setup.server.wake();
    await until(() => setup.server.connections === 0);
  });

  it('ends with its signal, also between two attempts', async () => {
    await setup.server.stop();
    const leaving = new AbortController();
    const stream = setup
      .client({ reconnect: { initialDelayMs: 60_000, maxDelayMs: 60_000 } })
      .subscribe(countDocument, {}, { signal: leaving.signal, onReconnect: () => leaving.abort() });
    expect(await stream.next()).toEqual({ value: undefined, done: true });
    await setup.server.start();
  });

  it('ends with its client', async () => {
    const one = setup.client();
    const stream = one.subscribe(countDocument, {});
    const waiting = stream.next();
    await until(() => setup.server.afters.length === 1);
    await one.close();
    expect(await waiting).toEqual({ value: undefined, done: true });
  });

  it('reports each restart of a stream that begins with a snapshot', async () => {
    const snapshots: SnapshotTaken[] = [];
    const stream = setup
      .client()
      .subscribe(countDocument, {}, { onSnapshot: (event) => void snapshots.push(event) });
    setup.server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    const next = take(stream, 1);
    setup.server.drop();
    expect(await next).toEqual([1]);
    expect(snapshots).toMatchObject([{ error: { code: 'SERVICE_UNAVAILABLE' }, cursor: undefined }]);
  });

  it('shares its socket with other streams of its client', async () => {
    setup.server.to(1);
    const one = setup.client();
    const streams = [1, 2, 3].map(() => one.subscribe(countDocument, {}));
    await Promise.all(streams.map((stream) => take(stream, 1)));
    expect(setup.server.connections).toBe(1);
  });
});
