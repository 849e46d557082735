import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { manualClock, waitFor } from '@rhizome/testkit';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { EventReader } from './testing/event-reader.js';
import { type TestSystem, startTestSystem } from './testing/test-system.js';
import { codesOf, post, send } from './testing/post.js';
import { RawSocket } from './testing/raw-socket.js';

const changes = 'subscription ($after: String) { itemChanged(after: $after) { cursor item { id label } } }';
const bare = 'subscription { itemChanged { item { id } } }';

function clientOf(system: TestSystem, connectionParams: () => Promise<Record<string, string>>): Client {
  return createClient({
    url: system.served.wsUrl,
    webSocketImpl: WebSocket,
    connectionParams,
    retryAttempts: 0,
  });
}

describe('a gateway with third-party clients', () => {
  let system: TestSystem;
  beforeAll(async () => {
    system = await startTestSystem();
  });
  afterAll(() => system.served.close());

  it('shares one upstream between many sockets of users with equal permissions and sends each event once', async () => {
    const clients = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const token = await system.tokens.reader('beta', `reader-${i}`);
        return clientOf(system, () => system.bearer(token));
      }),
    );
    const streams = clients.map((client) =>
      client.iterate<{ itemChanged: { item: { id: string } | null } }>({ query: changes }),
    );
    await Promise.all(streams.map((stream) => stream.next()));
    expect(system.log.open).toBe(1);
    const ids = Array.from({ length: 20 }, (_, i) => `i${i}`);
    ids.forEach((id) => system.log.append(id));
    for (const stream of streams) {
      const seen: unknown[] = [];
      while (seen.length < ids.length) seen.push((await stream.next()).value?.data?.itemChanged.item?.id);
      expect(seen).toEqual(ids);
    }
    await Promise.all(clients.map((client) => client.dispose()));
    await waitFor('the end of the upstream', () => system.log.open === 0, { deadlineMs: 1000 });
  });

  it('shares a stream between WebSockets and event streams', async () => {
    const headers = await system.bearer();
    const socket = await RawSocket.ready(system.served.wsUrl, headers);
    socket.subscribe('1', bare);
    await socket.next('next');
    const events = await EventReader.post(system.served.url, bare, headers);
    await events.event();
    expect(system.log.open).toBe(1);
    system.log.append('both');
    expect((await socket.next('next')).payload).toEqual({ data: { itemChanged: { item: { id: 'both' } } } });
    expect(await events.event()).toContain('{"data":{"itemChanged":{"item":{"id":"both"}}}}');
    socket.drop();
    events.leave();
  });

  it('serves a new supergraph immediately without interrupting streams', async () => {
    const headers = await system.bearer();
    const socket = await RawSocket.ready(system.served.wsUrl, headers);
    socket.subscribe('1', bare);
    await socket.next('next');
    const query = '{ item(id: "a") { extra } }';
    expect(codesOf(await post(system.served.url, query, headers))).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    await system.gateway.swap(system.supergraph('extra: String'));
    expect((await post(system.served.url, query, headers)).body.data).toEqual({ item: { extra: 'more' } });
    system.log.append('after the swap');
    expect((await socket.next()).payload).toEqual({
      data: { itemChanged: { item: { id: 'after the swap' } } },
    });
    socket.drop();
  });

  it('refuses an invalid supergraph and keeps the current one', async () => {
    await expect(system.gateway.swap('type Query { a: Int')).rejects.toMatchObject({
      code: 'COMPOSITION_FAILED',
    });
    expect((await post(system.served.url, '{ item(id: "a") { id } }', await system.bearer())).status).toBe(
      200,
    );
  });

  it('completes a running operation on the old supergraph after a swap', async () => {
    const headers = await system.bearer();
    const running = post(system.served.url, '{ slow }', headers);
    await waitFor('a running call', () => system.slow.waiting === 1, { deadlineMs: 1000 });
    const swapped = system.gateway.swap(system.supergraph('extra: String'));
    await post(system.served.url, '{ item(id: "a") { id } }', headers);
    system.finishSlow();
    expect((await running).body.data).toEqual({ slow: 'done' });
    await swapped;
  });

  it('sends a client that hangs the cursor to continue from; the others continue', async () => {
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

describe('a socket whose token expires', () => {
  it('closes its streams with a code and a cursor, then itself with 4403', async () => {
    const clock = manualClock(new Date());
    const system = await startTestSystem({ clock });
    const token = await system.tokens.mint({
      kind: 'HUMAN',
      subject: 'short',
      grants: [],
      ttlSeconds: 3600,
    });
    const headers = await system.bearer(token);
    const { expiresAt } = await system.tokens.verifier.verify(token);
    clock.advance(expiresAt.getTime() - 100 - clock.now().getTime());
    const socket = await RawSocket.ready(system.served.wsUrl, headers);
    socket.subscribe('1', changes);
    const { payload } = await socket.next('next');
    clock.advance(100);
    const { payload: errors } = await socket.next('error');
    const cursor = (payload as { data: { itemChanged: { cursor: string } } }).data.itemChanged.cursor;
    expect(errors).toEqual([
      expect.objectContaining({ extensions: expect.objectContaining({ code: 'TOKEN_EXPIRED', cursor }) }),
    ]);
    expect(await socket.closed).toEqual({ code: 4403, reason: 'TOKEN_EXPIRED' });
    await system.served.close();
  });

  it('is refused operations although its timer has not fired', async () => {
    const clock = manualClock(new Date());
    const system = await startTestSystem({ clock });
    const socket = await RawSocket.ready(system.served.wsUrl, await system.bearer());
    clock.advance(24 * 3600_000);
    socket.subscribe('1', '{ item(id: "a") { id } }');
    expect((await socket.next()).payload).toEqual([
      expect.objectContaining({ extensions: expect.objectContaining({ code: 'TOKEN_EXPIRED' }) }),
    ]);
    expect(socket.isOpen).toBe(true);
    await system.served.close();
  });
});

describe('shutdown', () => {
  it('ends streams with their cursors, sockets with 1001, event streams with complete, operations with their responses', async () => {
    const system = await startTestSystem();
    const headers = await system.bearer();
    const socket = await RawSocket.ready(system.served.wsUrl, headers);
    socket.subscribe('resumable', changes);
    socket.subscribe('plain', 'subscription { level { value } }');
    await socket.next('next', 'resumable');
    await socket.next('next', 'plain');
    const events = await EventReader.post(system.served.url, changes, headers);
    const plainEvents = await EventReader.post(
      system.served.url,
      'subscription { level { value } }',
      headers,
    );
    await Promise.all([events.event(), plainEvents.event()]);
    const running = post(system.served.url, '{ slow }', headers);
    await waitFor('the running operation', () => system.slow.waiting === 1, { deadlineMs: 1000 });
    const cursor = system.log.cursor;

    const closed = system.served.close();
    const { id, payload } = await socket.next('error');
    expect(id).toBe('resumable');
    expect(payload).toEqual([
      expect.objectContaining({
        extensions: expect.objectContaining({ code: 'SHUTTING_DOWN', cursor, retry: 'now' }),
      }),
    ]);
    expect(await events.event()).toContain(`"cursor":"${cursor}"`);
    expect(await events.event()).toBe('event: complete\ndata: ');
    system.finishSlow();
    expect((await running).body).toEqual({ data: { slow: 'done' } });
    expect(await socket.closed).toEqual({ code: 1001, reason: 'SHUTTING_DOWN' });
    expect(socket.messages.filter((message) => message.id === 'plain')).toEqual([]);
    expect(await plainEvents.event()).toContain('"code":"SHUTTING_DOWN"');
    expect(await plainEvents.event()).toBe('event: complete\ndata: ');
    await waitFor('the end', closed, { deadlineMs: 2000 });
    expect(system.log.open).toBe(0);
    await expect(send(system.served.url)).rejects.toThrow();
  });

  it('refuses requests while it drains and reports not ready', async () => {
    const system = await startTestSystem();
    const headers = await system.bearer();
    const running = post(system.served.url, '{ slow }', headers);
    await waitFor('the running operation', () => system.slow.waiting === 1, { deadlineMs: 1000 });
    const drained = system.gateway.drain(60_000);
    expect((await send(`${system.served.origin}/readyz`)).status).toBe(503);
    expect((await send(`${system.served.origin}/healthz`)).status).toBe(200);
    const late = await post(system.served.url, '{ item(id: "a") { id } }', headers);
    expect([late.status, codesOf(late)]).toEqual([503, ['SHUTTING_DOWN']]);
    await expect(RawSocket.open(system.served.wsUrl)).rejects.toThrow('503');
    // A connection that is reset after its refusal must not end the process.
    const socket = new PassThrough();
    system.gateway.upgrade({ url: '/graphql' } as IncomingMessage, socket, Buffer.alloc(0));
    expect(() => socket.emit('error', new Error('read ECONNRESET'))).not.toThrow();
    expect(socket.destroyed).toBe(true);
    system.finishSlow();
    await drained;
    expect((await running).status).toBe(200);
    await system.served.close();
  });

  it('aborts an operation that does not end in time', async () => {
    const system = await startTestSystem();
    const running = post(system.served.url, '{ slow }', await system.bearer());
    await waitFor('the running operation', () => system.slow.waiting === 1, { deadlineMs: 1000 });
    const closed = system.served.close(50);
    await expect(running).rejects.toThrow();
    await waitFor('the end', closed, { deadlineMs: 2000 });
    expect(system.slow.aborted).toBe(1);
  });

  it('reports a port in use with a clear error', async () => {
    const system = await startTestSystem();
    const { serveGateway } = await import('./serve.js');
    await expect(serveGateway(system.gateway, { port: system.served.port })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
    });
    await system.served.close();
  });
});
