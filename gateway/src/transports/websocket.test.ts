import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createPrincipal } from '@rhizome/authz';
import { type GraphQLFieldResolver, buildSchema, GraphQLError, parse } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { SubgraphRequest, SubgraphResult } from '@rhizome/federation';
import { createWebSocketSubscriptions, type WebSocketOptions, type WebSocketSubscriptions } from './index.js';

// Against a real server of graphql-ws.

let sockets: WebSocket[] = [];
let connectionParams: unknown[] = [];
/** Tokens of operations, in their order. */
let operationTokens: unknown[] = [];
let ended = 0;
/** Number of the test: streams of earlier ones may end later. */
let test = 0;
let server: WebSocketServer | undefined;
let subscriptions: WebSocketSubscriptions | undefined;

const schema = buildSchema(
  'type Query { a: Int } type Subscription { count(to: Int!): Int idle: Int refused: Int }',
);
const resolvers: Record<string, GraphQLFieldResolver<unknown, unknown, { to: number }>> = {
  count: async function* (_source, { to }) {
    for (let count = 1; count <= to; count++) yield { count };
  },
  idle: () => {
    let settle: (next: IteratorResult<unknown>) => void = () => {};
    const own = test;
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<unknown>>((resolve) => (settle = resolve)),
        return: async () => {
          if (own === test) ended++;
          settle({ done: true, value: undefined });
          return { done: true, value: undefined };
        },
      }),
    };
  },
  refused: () => {
    throw new GraphQLError('not you', { extensions: { code: 'FORBIDDEN' } });
  },
};
for (const [name, field] of Object.entries(schema.getSubscriptionType()?.getFields() ?? {}))
  field.subscribe = resolvers[name];

async function start(
  options: Partial<WebSocketOptions> = {},
  onConnect?: () => boolean | Record<string, unknown>,
): Promise<WebSocketSubscriptions> {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/graphql' });
  server.on('connection', (socket) => sockets.push(socket));
  useServer(
    {
      schema,
      onConnect: (context) => {
        connectionParams.push(context.connectionParams);
        return onConnect?.() ?? true;
      },
      onSubscribe: (_context, _id, { extensions }) =>
        void operationTokens.push(extensions?.['authorization'] ?? null),
    },
    server,
  );
  await once(server, 'listening');
  subscriptions = createWebSocketSubscriptions({
    subgraph: 'alpha',
    idleMs: 50,
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    tokenFor: ({ subject }) => Promise.resolve(`for ${subject}`),
    ...options,
  });
  return subscriptions;
}

afterEach(async () => {
  await subscriptions?.close();
  for (const socket of sockets) socket.terminate();
  if (server) await new Promise((resolve) => server?.close(resolve));
  [sockets, connectionParams, operationTokens] = [[], [], []];
  [ended, server, subscriptions] = [0, undefined, undefined];
  test++;
});

function request(text: string, more: Partial<SubgraphRequest> = {}): SubgraphRequest {
  return {
    operation: { subgraph: 'alpha', kind: 'subscription', documentText: text, document: parse(text) },
    scope: 'scope',
    requestId: 'r1',
    ...more,
  };
}

const caller = (subject: string) =>
  createPrincipal({ kind: 'HUMAN', subject, grants: [], expiresAt: new Date(1e15), token: 'secret' });

async function all(stream: AsyncIterable<SubgraphResult>): Promise<unknown[]> {
  const results: unknown[] = [];
  for await (const result of stream) results.push(result.data ?? result.errors);
  return results;
}

/** Opens an idle stream, and waits until the server has it. */
async function idle(
  from: WebSocketSubscriptions,
  more: Partial<SubgraphRequest> = {},
): Promise<AsyncIterator<SubgraphResult>> {
  const stream = from.subscribe(request('subscription { idle }', more))[Symbol.asyncIterator]();
  // The socket answers in order: when this one is done, the one before is open.
  await all(from.subscribe(request('subscription { count(to: 0) }', more)));
  return stream;
}

describe('createWebSocketSubscriptions', () => {
  it('sends many streams of one scope over one socket, with a call token', async () => {
    const ws = await start();
    const streams = Array.from({ length: 20 }, (_, index) =>
      all(
        ws.subscribe(
          request('subscription ($n: Int!) { count(to: $n) }', {
            variablesText: '{"n":3}',
            principal: caller(`t${index}`),
          }),
        ),
      ),
    );
    for (const results of await Promise.all(streams))
      expect(results).toEqual([{ count: 1 }, { count: 2 }, { count: 3 }]);
    expect(sockets).toHaveLength(1);
    expect(connectionParams).toHaveLength(1);
    expect(connectionParams[0]).toMatchObject({ authorization: expect.stringMatching(/^Bearer for t\d+$/) });
  });

  it('opens a separate socket for another scope', async () => {
    const ws = await start();
    await Promise.all([
      all(ws.subscribe(request('subscription { count(to: 1) }', { scope: 'a', principal: caller('a') }))),
      all(ws.subscribe(request('subscription { count(to: 1) }', { scope: 'b', principal: caller('b') }))),
    ]);
    expect(sockets).toHaveLength(2);
    expect(new Set(connectionParams.map((params) => JSON.stringify(params)))).toEqual(
      new Set(['{"authorization":"Bearer for a"}', '{"authorization":"Bearer for b"}']),
    );
  });

  describe('to a subgraph that accepts a token for each operation', () => {
    const accepts = { operationTokens: true };
    const of = (name: string) => ({ scope: name, principal: caller(name) });

    it('sends the streams of all scopes over one socket, each with its token', async () => {
      const ws = await start({}, () => accepts);
      await idle(ws, of('first'));
      for (const name of ['a', 'b', 'c']) await idle(ws, of(name));
      expect(operationTokens.filter((_token, at) => at % 2 === 0)).toEqual([
        null,
        'Bearer for a',
        'Bearer for b',
        'Bearer for c',
      ]);
      // The first one was opened before the subgraph had said what it accepts.
      expect(sockets).toHaveLength(2);
    });

    it('opens another socket when one has its number of streams', async () => {
      const ws = await start({ streamsPerSocket: 2 }, () => accepts);
      await idle(ws, of('first'));
      for (const name of ['a', 'b', 'c', 'd', 'e']) await idle(ws, of(name));
      expect(sockets).toHaveLength(4);
    });

    it('ends one stream of a shared socket, and no other', async () => {
      const ws = await start({}, () => accepts);
      await idle(ws, of('first'));
      const [a, b] = [await idle(ws, of('a')), await idle(ws, of('b'))];
      await a.return?.();
      await all(ws.subscribe(request('subscription { count(to: 0) }', of('b'))));
      expect(ended).toBe(1);
      await b.return?.();
    });

    it('sends no operation over a shared socket to a version that does not accept its token', async () => {
      let ack: Record<string, unknown> | boolean = accepts;
      const ws = await start({}, () => ack);
      const lost = [await idle(ws, of('first')), await idle(ws, of('a'))].map((stream) => stream.next());
      const before = operationTokens.length;
      ack = true;
      for (const socket of sockets) socket.terminate();
      for (const next of lost) await expect(next).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
      const refused = ['b', 'c'].map((name) => all(ws.subscribe(request('subscription { idle }', of(name)))));
      for (const stream of refused)
        await expect(stream).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
      expect(operationTokens).toHaveLength(before);
      await idle(ws, of('b'));
      expect(operationTokens.slice(before)).toEqual([null, null]);
      expect(connectionParams.at(-1)).toEqual({ authorization: 'Bearer for b' });
    });
  });

  it('returns a refusal of the operation as its one result', async () => {
    const ws = await start();
    expect(await all(ws.subscribe(request('subscription { refused }')))).toEqual([
      [expect.objectContaining({ message: 'not you', extensions: { code: 'FORBIDDEN' } })],
    ]);
    expect(await all(ws.subscribe(request('subscription { nope }')))).toEqual([
      [expect.objectContaining({ message: expect.stringContaining('nope') })],
    ]);
  });

  it('ends a stream at the server without waiting for an event when its reader leaves; the others continue', async () => {
    const ws = await start();
    const [first, second] = [await idle(ws), await idle(ws)];
    const waiting = first.next();
    await first.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    // The server has processed it when it answers the request sent after it.
    await all(ws.subscribe(request('subscription { count(to: 1) }')));
    expect(ended).toBe(1);
    await second.return?.();
    await all(ws.subscribe(request('subscription { count(to: 1) }')));
    expect(ended).toBe(2);
    expect(sockets).toHaveLength(1);
  });

  it('ends a stream on a signal', async () => {
    const ws = await start();
    const controller = new AbortController();
    const stream = await idle(ws, { signal: controller.signal });
    const waiting = stream.next();
    controller.abort();
    expect((await waiting).done).toBe(true);
    expect(
      (await all(ws.subscribe(request('subscription { count(to: 1) }', { signal: AbortSignal.abort() }))))
        .length,
    ).toBe(0);
  });

  it('fails the streams of a lost socket, and opens another for the next one', async () => {
    const ws = await start();
    const [one, two] = [await idle(ws), await idle(ws)];
    const waiting = [one.next(), two.next()];
    sockets[0]?.terminate();
    for (const next of waiting)
      await expect(next).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retry: 'later' });
    expect(await all(ws.subscribe(request('subscription { count(to: 2) }')))).toEqual([
      { count: 1 },
      { count: 2 },
    ]);
    expect(sockets).toHaveLength(2);
  });

  it('opens the next socket with the newest caller of a scope', async () => {
    const ws = await start();
    const old = await idle(ws, { principal: caller('old') });
    const next = old.next();
    const fresh = await idle(ws, { principal: caller('new') });
    sockets[0]?.terminate();
    await expect(next).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    await expect(fresh.next()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    await all(ws.subscribe(request('subscription { count(to: 1) }')));
    expect(connectionParams).toEqual([
      { authorization: 'Bearer for old' },
      { authorization: 'Bearer for new' },
    ]);
  });

  it('detects a silent server by pings', async () => {
    const ws = await start({ pingIntervalMs: 30, pongTimeoutMs: 30 });
    const stream = await idle(ws);
    const waiting = stream.next();
    // The socket stays open, but nothing is read from it any more.
    sockets[0]?.pause();
    await expect(waiting).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  });

  it('keeps the socket of a server that answers pings', async () => {
    const ws = await start({ pingIntervalMs: 10, pongTimeoutMs: 2_000 });
    const stream = await idle(ws);
    const [socket] = sockets;
    if (!socket) throw new Error('no socket');
    for (let pings = 0; pings < 5;) {
      const [data] = (await once(socket, 'message')) as [Buffer];
      if (String(data).includes('"ping"')) pings++;
    }
    expect(socket.readyState).toBe(socket.OPEN);
    await stream.return?.();
  });

  it('reports a refused token of the gateway as an error that may pass', async () => {
    const ws = await start({}, () => false);
    await expect(all(ws.subscribe(request('subscription { idle }')))).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      retry: 'later',
    });
  });

  it('reports a refused connection', async () => {
    const ws = createWebSocketSubscriptions({ subgraph: 'alpha', url: 'ws://127.0.0.1:1/graphql' });
    await expect(all(ws.subscribe(request('subscription { idle }')))).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
    });
    await ws.close();
  });

  it('closes a socket without streams after a while', async () => {
    const ws = await start({ idleMs: 20 });
    await all(ws.subscribe(request('subscription { count(to: 1) }')));
    const [socket] = sockets;
    if (socket && socket.readyState !== socket.CLOSED) await once(socket, 'close');
    // The other end is notified a moment later.
    while (ws.sockets > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('reports a consumer that is slower than its events', async () => {
    const ws = await start({ queueBound: 3 });
    const stream = ws.subscribe(request('subscription { count(to: 50) }'))[Symbol.asyncIterator]();
    // Read only when all events have come.
    await all(createBarrier(ws));
    const taken: unknown[] = [];
    const read = async (): Promise<void> => {
      for (let next = await stream.next(); !next.done; next = await stream.next())
        taken.push(next.value.data);
    };
    await expect(read()).rejects.toMatchObject({ code: 'SUBSCRIPTION_LAGGED' });
    expect(taken).toEqual([{ count: 1 }, { count: 2 }, { count: 3 }]);
  });

  it('closes streams and sockets', async () => {
    const ws = await start();
    const stream = await idle(ws);
    const waiting = stream.next();
    await ws.close();
    expect((await waiting).done).toBe(true);
    const [socket] = sockets;
    if (socket && socket.readyState !== socket.CLOSED) await once(socket, 'close');
    expect(ws.sockets).toBe(0);
  });
});

/** A stream that ends after those that were opened before it have been answered. */
function createBarrier(ws: WebSocketSubscriptions): AsyncIterable<SubgraphResult> {
  return ws.subscribe(request('subscription { count(to: 2) }', { scope: 'scope' }));
}
