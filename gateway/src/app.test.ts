import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { manualClock, waitFor } from '@rhizome/testkit';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { EventReader } from './testing/event-reader.js';
import { type TestSystem, startTestSystem } from './testing/test-system.js';
import { codesOf, post, send } from './testing/post.js';
import { RawSocket } from './testing/raw-socket.js';

const changes = 'subscription ($after: String) { itemChanged(after: $after) { cursor item { id label } } }';
const bare = 'subscription { itemChanged { item { id } } }';

function clientOf(house: TestSystem, connectionParams: () => Promise<Record<string, string>>): Client {
  return createClient({
    url: house.served.wsUrl,
    webSocketImpl: WebSocket,
    connectionParams,
    retryAttempts: 0,
  });
}

describe('a gateway in use by clients of the field', () => {
  let house: TestSystem;
  beforeAll(async () => {
    house = await startTestSystem();
  });
  afterAll(() => house.served.close());

  test('many sockets of many people with equal rights are one upstream, and see each event once', async () => {
    const clients = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const token = await house.tokens.reader('beta', `reader-${i}`);
        return clientOf(house, () => house.bearer(token));
      }),
    );
    const streams = clients.map((client) =>
      client.iterate<{ itemChanged: { item: { id: string } | null } }>({ query: changes }),
    );
    await Promise.all(streams.map((stream) => stream.next()));
    expect(house.log.open).toBe(1);
    const ids = Array.from({ length: 20 }, (_, i) => `i${i}`);
    ids.forEach((id) => house.log.append(id));
    for (const stream of streams) {
      const seen: unknown[] = [];
      while (seen.length < ids.length) seen.push((await stream.next()).value?.data?.itemChanged.item?.id);
      expect(seen).toEqual(ids);
    }
    await Promise.all(clients.map((client) => client.dispose()));
    await waitFor('the end of the upstream', () => house.log.open === 0, { deadlineMs: 1000 });
  });

  test('the same stream is shared between WebSockets and event streams', async () => {
    const headers = await house.bearer();
    const socket = await RawSocket.ready(house.served.wsUrl, headers);
    socket.subscribe('1', bare);
    await socket.next('next');
    const events = await EventReader.post(house.served.url, bare, headers);
    await events.event();
    expect(house.log.open).toBe(1);
    house.log.append('both');
    expect((await socket.next('next')).payload).toEqual({ data: { itemChanged: { item: { id: 'both' } } } });
    expect(await events.event()).toContain('{"data":{"itemChanged":{"item":{"id":"both"}}}}');
    socket.drop();
    events.leave();
  });

  test('a new supergraph is served at once, and streams do not notice', async () => {
    const headers = await house.bearer();
    const socket = await RawSocket.ready(house.served.wsUrl, headers);
    socket.subscribe('1', bare);
    await socket.next('next');
    const query = '{ item(id: "a") { extra } }';
    expect(codesOf(await post(house.served.url, query, headers))).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    await house.gateway.swap(house.supergraph('extra: String'));
    expect((await post(house.served.url, query, headers)).body.data).toEqual({ item: { extra: 'more' } });
    house.log.append('after the swap');
    expect((await socket.next()).payload).toEqual({
      data: { itemChanged: { item: { id: 'after the swap' } } },
    });
    socket.drop();
  });

  test('a supergraph that is none is refused, and the one of now goes on', async () => {
    await expect(house.gateway.swap('type Query { a: Int')).rejects.toMatchObject({
      code: 'COMPOSITION_FAILED',
    });
    expect((await post(house.served.url, '{ item(id: "a") { id } }', await house.bearer())).status).toBe(200);
  });

  test('an operation that runs while the supergraph is swapped ends on the old one', async () => {
    const headers = await house.bearer();
    const running = post(house.served.url, '{ slow }', headers);
    await waitFor('the call', () => house.slow.waiting === 1, { deadlineMs: 1000 });
    const swapped = house.gateway.swap(house.supergraph('extra: String'));
    await post(house.served.url, '{ item(id: "a") { id } }', headers);
    house.finishSlow();
    expect((await running).body.data).toEqual({ slow: 'done' });
    await swapped;
  });

  test('a client that hangs on its socket is told where to go on; the others go on', async () => {
    const lagging = await startTestSystem({ limits: { bufferedEvents: 50 } });
    const headers = await lagging.bearer();
    const [quick, stalled] = [
      await RawSocket.ready(lagging.served.wsUrl, headers),
      await RawSocket.ready(lagging.served.wsUrl, headers),
    ];
    for (const socket of [quick, stalled]) {
      socket.subscribe('1', changes);
      await socket.next('next');
    }
    stalled.stall();
    const large = 'x'.repeat(100_000);
    for (let i = 0; i < 200; i++) {
      lagging.log.append(`${i} ${large}`);
      await quick.next('next');
    }
    stalled.resume();
    const { payload } = await stalled.next('error');
    const [{ extensions }] = payload as [{ extensions: Record<string, unknown> }];
    expect(extensions).toMatchObject({ code: 'SUBSCRIPTION_LAGGED', retry: 'now' });
    const seen = stalled.messages.filter(({ type }) => type === 'next');
    expect(seen.length).toBeLessThan(200);
    const last = (seen.at(-1)?.payload as { data: { itemChanged: { cursor: string } } }).data.itemChanged
      .cursor;
    expect(extensions['cursor']).toBe(last);
    const text = await lagging.gateway.metrics.registry.getSingleMetricAsString(
      'rhizome_gateway_streams_closed_total',
    );
    expect(text).toContain('rhizome_gateway_streams_closed_total{reason="lagged"} 1');
    await lagging.served.close();
  });
});

describe('tokens on sockets', () => {
  test('end their streams with a code and a cursor, then the socket with 4403', async () => {
    const clock = manualClock(new Date());
    const house = await startTestSystem({ clock });
    const token = await house.tokens.mint({
      kind: 'HUMAN',
      subject: 'short',
      grants: [],
      ttlSeconds: 3600,
    });
    const headers = await house.bearer(token);
    clock.advance(3600_000 - 2500);
    const socket = await RawSocket.ready(house.served.wsUrl, headers);
    socket.subscribe('1', changes);
    const { payload } = await socket.next('next');
    clock.advance(3000);
    const { payload: errors } = await socket.next('error');
    const cursor = (payload as { data: { itemChanged: { cursor: string } } }).data.itemChanged.cursor;
    expect(errors).toEqual([
      expect.objectContaining({ extensions: expect.objectContaining({ code: 'TOKEN_EXPIRED', cursor }) }),
    ]);
    socket.subscribe('2', '{ item(id: "a") { id } }');
    expect((await socket.next()).payload).toEqual([
      expect.objectContaining({ extensions: expect.objectContaining({ code: 'TOKEN_EXPIRED' }) }),
    ]);
    expect(await socket.closed).toEqual({ code: 4403, reason: 'TOKEN_EXPIRED' });
    await house.served.close();
  });
});

describe('shutdown', () => {
  test('streams end with their cursors, sockets with 1001, event streams with complete, running operations with their answers', async () => {
    const house = await startTestSystem();
    const headers = await house.bearer();
    const socket = await RawSocket.ready(house.served.wsUrl, headers);
    socket.subscribe('resumable', changes);
    socket.subscribe('plain', 'subscription { level { value } }');
    await socket.next('next', 'resumable');
    await socket.next('next', 'plain');
    const events = await EventReader.post(house.served.url, changes, headers);
    const plainEvents = await EventReader.post(house.served.url, 'subscription { level { value } }', headers);
    await Promise.all([events.event(), plainEvents.event()]);
    const running = post(house.served.url, '{ slow }', headers);
    await waitFor('the running operation', () => house.slow.waiting === 1, { deadlineMs: 1000 });
    const cursor = house.log.cursor;

    const closed = house.served.close();
    const { id, payload } = await socket.next('error');
    expect(id).toBe('resumable');
    expect(payload).toEqual([
      expect.objectContaining({
        extensions: expect.objectContaining({ code: 'SHUTTING_DOWN', cursor, retry: 'now' }),
      }),
    ]);
    expect(await events.event()).toContain(`"cursor":"${cursor}"`);
    expect(await events.event()).toBe('event: complete\ndata: ');
    house.finishSlow();
    expect((await running).body).toEqual({ data: { slow: 'done' } });
    expect(await socket.closed).toEqual({ code: 1001, reason: 'SHUTTING_DOWN' });
    expect(socket.messages.filter((message) => message.id === 'plain')).toEqual([]);
    expect(await plainEvents.event()).toContain('"code":"SHUTTING_DOWN"');
    expect(await plainEvents.event()).toBe('event: complete\ndata: ');
    await waitFor('the end', closed, { deadlineMs: 2000 });
    expect(house.log.open).toBe(0);
    await expect(send(house.served.url)).rejects.toThrow();
  });

  test('what comes while it drains is refused, and it is not ready', async () => {
    const house = await startTestSystem();
    const headers = await house.bearer();
    const running = post(house.served.url, '{ slow }', headers);
    await waitFor('the running operation', () => house.slow.waiting === 1, { deadlineMs: 1000 });
    const drained = house.gateway.drain(60_000);
    expect((await send(`${house.served.origin}/readyz`)).status).toBe(503);
    expect((await send(`${house.served.origin}/healthz`)).status).toBe(200);
    const late = await post(house.served.url, '{ item(id: "a") { id } }', headers);
    expect([late.status, codesOf(late)]).toEqual([503, ['SHUTTING_DOWN']]);
    await expect(RawSocket.open(house.served.wsUrl)).rejects.toThrow('503');
    house.finishSlow();
    await drained;
    expect((await running).status).toBe(200);
    await house.served.close();
  });

  test('an operation that does not end is cut after its time, and aborted', async () => {
    const house = await startTestSystem();
    const running = post(house.served.url, '{ slow }', await house.bearer());
    await waitFor('the running operation', () => house.slow.waiting === 1, { deadlineMs: 1000 });
    const closed = house.served.close(50);
    await expect(running).rejects.toThrow();
    await waitFor('the end', closed, { deadlineMs: 2000 });
    expect(house.slow.aborted).toBe(1);
  });

  test('a port that is taken is a clear error', async () => {
    const house = await startTestSystem();
    const { serveGateway } = await import('./serve.js');
    await expect(serveGateway(house.gateway, { port: house.served.port })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
    });
    await house.served.close();
  });
});
