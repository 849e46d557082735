import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { buildSchema, GraphQLError, parse } from 'graphql';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { RhizomeApiError } from './api-error.js';
import { type ApiClient, type ClientOptions, createClient } from './client.js';
import type { Reconnecting, SnapshotTaken } from './resuming-stream.js';

interface Count {
  readonly count: { readonly cursor: string; readonly value: number | null };
}
const countDocument = parse(
  'subscription Count($after: String) { count(after: $after) { cursor value } }',
) as TypedDocumentNode<Count, { after?: string }>;

const schema = buildSchema(/* GraphQL */ `
  type Query {
    ping: String
  }
  type Subscription {
    count(after: String): Counted
  }
  type Counted {
    cursor: String!
    value: Int
  }
`);

/** A server that counts from the cursor on, and breaks in the way that the test sets. */
class CountingServer {
  /** Numbers up to this one are there. */
  top = 0;
  readonly afters: (string | undefined)[] = [];
  readonly tokens: unknown[] = [];
  /** Payloads of pings that carried a token. */
  readonly renewals: Readonly<Record<string, unknown>>[] = [];
  /** Reason to refuse a renewed token. */
  refuseRenewal: ((token: unknown) => string | undefined) | undefined;
  refuse: ((token: unknown) => string | undefined) | undefined;
  /** Result that replaces the next number. */
  instead: Error | undefined;
  readonly #http: Server = createServer();
  #sockets = new WebSocketServer({ noServer: true });
  #wake: (() => void)[] = [];
  port = 0;

  async start(): Promise<void> {
    this.#sockets = new WebSocketServer({ server: this.#http });
    useServer<Record<string, unknown>, Extra & Record<PropertyKey, unknown>>(
      {
        schema,
        roots: { subscription: { count: (args: { after?: string }) => this.#count(args.after) } },
        onConnect: ({ connectionParams, extra }) => {
          const token = connectionParams?.['authorization'];
          this.tokens.push(token);
          const reason = this.refuse?.(token);
          if (reason === undefined) return true;
          extra.socket.close(4403, reason);
          return false;
        },
        onPing: ({ extra }, payload) => {
          if (!payload) return;
          this.renewals.push(payload);
          const code = this.refuseRenewal?.(payload['authorization']);
          const answer = code === undefined ? { expiresAt: new Date().toISOString() } : { error: { code } };
          extra.socket.send(JSON.stringify({ type: 'pong', payload: answer }));
        },
      },
      this.#sockets,
    );
    this.#http.listen(this.port, '127.0.0.1');
    await once(this.#http, 'listening');
    this.port = (this.#http.address() as AddressInfo).port;
  }

  async *#count(after: string | undefined): AsyncGenerator<Count> {
    this.afters.push(after);
    for (let value = Number(after ?? 0) + 1; ; value += 1) {
      while (value > this.top && !this.instead)
        await new Promise<void>((resolve) => this.#wake.push(resolve));
      const failure = this.instead;
      this.instead = undefined;
      if (failure) throw failure;
      yield { count: { cursor: String(value), value } };
    }
  }

  to(top: number): void {
    this.top = top;
    this.wake();
  }

  wake(): void {
    for (const resolve of this.#wake.splice(0)) resolve();
  }

  /** Breaks all connections as a crash does, or closes them by a code. */
  drop(code?: number, reason?: string): void {
    this.#sockets.clients.forEach((socket: WebSocket) =>
      code ? socket.close(code, reason) : socket.terminate(),
    );
  }

  get connections(): number {
    return this.#sockets.clients.size;
  }

  async stop(): Promise<void> {
    this.drop();
    await new Promise((resolve) => this.#sockets.close(resolve));
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}

let server: CountingServer;
let clients: ApiClient[];
let reconnects: Reconnecting[];

beforeEach(async () => {
  clients = [];
  reconnects = [];
  server = new CountingServer();
  await server.start();
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await server.stop();
});

function client(options: Partial<ClientOptions> = {}): ApiClient {
  const made = createClient({
    url: `http://127.0.0.1:${server.port}/graphql`,
    token: 'one',
    reconnect: { initialDelayMs: 5, maxDelayMs: 20 },
    ...options,
  });
  clients.push(made);
  return made;
}

const resumable = {
  cursorOf: ({ count }: Count) => count.cursor,
  onReconnect: (event: Reconnecting) => void reconnects.push(event),
};

/** The next values of a stream. */
async function take(stream: AsyncIterator<Count>, amount: number): Promise<(number | null)[]> {
  const values: (number | null)[] = [];
  while (values.length < amount) {
    const { value, done } = await stream.next();
    if (done) break;
    values.push((value as Count).count.value);
  }
  return values;
}

describe('resumable stream', () => {
  it('continues after its last cursor when the connection breaks: nothing lost, nothing repeated', async () => {
    const stream = client().subscribeResumable(countDocument, {}, resumable);
    server.to(3);
    expect(await take(stream, 3)).toEqual([1, 2, 3]);
    const next = take(stream, 2);
    server.drop();
    server.to(5);
    expect(await next).toEqual([4, 5]);
    expect(server.afters).toEqual([undefined, '3']);
    expect(reconnects).toMatchObject([{ attempt: 1, cursor: '3', error: { code: 'SERVICE_UNAVAILABLE' } }]);
  });

  it.each([
    ['a drain', 1001, 'Going away', 'SHUTTING_DOWN'],
    ['a close with a code of the catalogue', 4429, 'SUBSCRIPTION_LAGGED', 'SUBSCRIPTION_LAGGED'],
  ])('continues after %s', async (_what, close, reason, code) => {
    const stream = client().subscribeResumable(countDocument, {}, resumable);
    server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    const next = take(stream, 1);
    server.drop(close, reason);
    server.to(2);
    expect(await next).toEqual([2]);
    expect(reconnects[0]?.error).toMatchObject({ code });
  });

  it('continues after an outage of the server', async () => {
    const stream = client().subscribeResumable(countDocument, {}, resumable);
    server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    const next = take(stream, 1);
    await server.stop();
    await until(() => reconnects.length >= 3);
    await server.start();
    server.to(2);
    expect(await next).toEqual([2]);
    expect(server.afters.at(-1)).toBe('1');
    expect(reconnects.map(({ attempt }) => attempt)).toEqual(reconnects.map((_, at) => at + 1));
  });

  it('starts at the cursor in its variables', async () => {
    server.to(9);
    const stream = client().subscribeResumable(countDocument, { after: '7' }, resumable);
    expect(await take(stream, 2)).toEqual([8, 9]);
  });

  it('continues after a transient error and throws a permanent one', async () => {
    const stream = client().subscribeResumable(countDocument, {}, resumable);
    server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    server.instead = new GraphQLError('behind', { extensions: { code: 'SUBSCRIPTION_LAGGED' } });
    const next = take(stream, 1);
    server.wake();
    server.to(2);
    expect(await next).toEqual([2]);
    server.instead = new GraphQLError('too late', { extensions: { code: 'CURSOR_EXPIRED', oldest: '5' } });
    const last = stream.next();
    server.wake();
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
    const stream = client().subscribeResumable(countDocument, { after: '4' }, { ...resumable, onSnapshot });
    server.to(6);
    expect(await take(stream, 2)).toEqual([5, 6]);
    server.instead = new GraphQLError('too late', { extensions: { code: 'CURSOR_EXPIRED' } });
    const next = take(stream, 1).then((values) => {
      order.push('value');
      return values;
    });
    server.wake();
    expect(await next).toEqual([1]);
    expect(server.afters).toEqual(['4', undefined]);
    expect(order).toEqual(['snapshot', 'value']);
    expect(snapshots).toMatchObject([{ lostAfter: '6', cursor: '1', error: { code: 'CURSOR_EXPIRED' } }]);
  });

  it('starts again if its first cursor has expired', async () => {
    const snapshots: SnapshotTaken[] = [];
    server.instead = new GraphQLError('too late', { extensions: { code: 'CURSOR_EXPIRED' } });
    server.to(1);
    const stream = client().subscribeResumable(
      countDocument,
      { after: '9' },
      { ...resumable, onSnapshot: (event) => void snapshots.push(event) },
    );
    expect(await take(stream, 1)).toEqual([1]);
    expect(server.afters).toEqual(['9', undefined]);
    expect(snapshots).toMatchObject([{ lostAfter: undefined, cursor: '1' }]);
  });

  it('stops after the allowed number of attempts', async () => {
    await server.stop();
    const asked = client({ reconnect: { initialDelayMs: 1, maxDelayMs: 2, attempts: 3 } }).subscribeResumable(
      countDocument,
      {},
      resumable,
    );
    await expect(asked.next()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(reconnects).toHaveLength(3);
    await server.start();
  });

  it('throws an error of its consumer to the consumer', async () => {
    server.to(1);
    const cursorOf = () => {
      throw new TypeError('no cursor here');
    };
    const stream = client().subscribeResumable(countDocument, {}, { cursorOf });
    await stream.next();
    await expect(stream.next()).rejects.toThrow('no cursor here');
  });
});

describe('stream', () => {
  it('ends at once when the consumer leaves it, also during a wait, and notifies the server', async () => {
    const stream = client().subscribeResumable(countDocument, {}, resumable);
    const waiting = stream.next();
    await until(() => server.afters.length === 1);
    await stream.return?.();
    expect(await waiting).toEqual({ value: undefined, done: true });
    server.wake();
    await until(() => server.connections === 0);
  });

  it('ends with its signal, also between two attempts', async () => {
    await server.stop();
    const leaving = new AbortController();
    const stream = client({ reconnect: { initialDelayMs: 60_000, maxDelayMs: 60_000 } }).subscribe(
      countDocument,
      {},
      { signal: leaving.signal, onReconnect: () => leaving.abort() },
    );
    expect(await stream.next()).toEqual({ value: undefined, done: true });
    await server.start();
  });

  it('ends with its client', async () => {
    const one = client();
    const stream = one.subscribe(countDocument, {});
    const waiting = stream.next();
    await until(() => server.afters.length === 1);
    await one.close();
    expect(await waiting).toEqual({ value: undefined, done: true });
  });

  it('reports each restart of a stream that begins with a snapshot', async () => {
    const snapshots: SnapshotTaken[] = [];
    const stream = client().subscribe(
      countDocument,
      {},
      { onSnapshot: (event) => void snapshots.push(event) },
    );
    server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    const next = take(stream, 1);
    server.drop();
    expect(await next).toEqual([1]);
    expect(snapshots).toMatchObject([{ error: { code: 'SERVICE_UNAVAILABLE' }, cursor: undefined }]);
  });

  it('shares its socket with other streams of its client', async () => {
    server.to(1);
    const one = client();
    const streams = [1, 2, 3].map(() => one.subscribe(countDocument, {}));
    await Promise.all(streams.map((stream) => take(stream, 1)));
    expect(server.connections).toBe(1);
  });
});

describe('token of a stream', () => {
  it('ends the stream if the server rejects it', async () => {
    server.refuse = () => 'UNAUTHENTICATED';
    const stream = client().subscribe(countDocument, {}, resumable);
    await expect(stream.next()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(reconnects).toEqual([]);
  });

  it('is replaced after it has expired, at connection or later, and the stream continues', async () => {
    let issued = 0;
    const expired: boolean[] = [];
    const token = (ended: boolean) => {
      expired.push(ended);
      if (ended) issued += 1;
      return `token-${issued}`;
    };
    server.refuse = (given) => (given === 'Bearer token-0' ? 'TOKEN_EXPIRED' : undefined);
    const stream = client({ token }).subscribeResumable(countDocument, {}, resumable);
    server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    server.instead = new GraphQLError('ended', { extensions: { code: 'TOKEN_EXPIRED' } });
    const next = take(stream, 1);
    server.wake();
    server.to(2);
    expect(await next).toEqual([2]);
    expect(server.tokens).toEqual(['Bearer token-0', 'Bearer token-1', 'Bearer token-2']);
    expect(expired).toEqual([false, true, true]);
  });

  it('is replaced each time it expires, however long the stream has no event', async () => {
    let issued = 0;
    const token = (ended: boolean) => `token-${(issued += ended ? 1 : 0)}`;
    const stream = client({ token }).subscribeResumable(countDocument, {}, resumable);
    const next = take(stream, 1);
    for (let round = 1; round <= 4; round++) {
      await until(() => server.afters.length === round);
      // The token is valid for longer than one that is refused at once.
      await new Promise((resolve) => setTimeout(resolve, 600));
      server.instead = new GraphQLError('ended', { extensions: { code: 'TOKEN_EXPIRED' } });
      server.wake();
    }
    await until(() => server.afters.length === 5);
    server.to(1);
    server.wake();
    expect(await next).toEqual([1]);
    expect(issued).toBe(4);
  });

  it('ends the stream if each new token is refused at once', async () => {
    const token = () => 'token';
    server.refuse = () => 'TOKEN_EXPIRED';
    const stream = client({ token }).subscribeResumable(countDocument, {}, resumable);
    await expect(stream.next()).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
    expect(server.tokens).toHaveLength(3);
  });

  it('ends the stream if there is no new token, with the reason', async () => {
    const ended = new RhizomeApiError({ code: 'UNAUTHENTICATED', message: 'The login has ended' });
    const token = (isExpired: boolean) => (isExpired ? Promise.reject(ended) : 'token');
    const stream = client({ token }).subscribeResumable(countDocument, {}, resumable);
    server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    server.instead = new GraphQLError('ended', { extensions: { code: 'TOKEN_EXPIRED' } });
    const next = stream.next();
    server.wake();
    await expect(next).rejects.toMatchObject({ code: 'UNAUTHENTICATED', message: 'The login has ended' });
  });
});

describe('a token that is renewed while a stream is open', () => {
  /** A token in the form of a JWT. */
  const endingIn = (seconds: number, name: string): string => {
    const exp = Date.now() / 1000 + seconds;
    return `e30.${Buffer.from(JSON.stringify({ exp, name })).toString('base64url')}.${name}`;
  };

  /** Makes a client ask for its token, as a request does; the request itself is not sent. */
  const getsToken = (one: ApiClient) =>
    expect(one.query(parse('{ ping }'), {}, { signal: AbortSignal.abort() })).rejects.toBeDefined();

  it('is sent in a ping before the one before it ends, each time, and the socket stays', async () => {
    const given: string[] = [];
    const token = (expired: boolean): string => {
      if (expired || given.length === 0) given.push(endingIn(2, `t${given.length}`));
      return given.at(-1) ?? '';
    };
    const stream = client({ token }).subscribeResumable(countDocument, {}, resumable);
    server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    await until(() => server.renewals.length === 3);
    server.to(2);
    expect(await take(stream, 1)).toEqual([2]);
    expect(server.renewals.map(({ authorization }) => authorization)).toEqual(
      given.slice(1, 4).map((one) => `Bearer ${one}`),
    );
    expect(server.connections).toBe(1);
    expect(reconnects).toEqual([]);
  });

  it('is sent as soon as a request has got it', async () => {
    let current = endingIn(3600, 'first');
    const one = client({ token: () => current });
    const stream = one.subscribeResumable(countDocument, {}, resumable);
    server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    current = endingIn(3600, 'second');
    await getsToken(one);
    await until(() => server.renewals.length === 1);
    expect(server.renewals[0]).toEqual({ authorization: `Bearer ${current}` });
  });

  it('opens another socket if the server refuses the token on this one', async () => {
    let current = endingIn(3600, 'first');
    server.refuseRenewal = () => 'FORBIDDEN';
    const one = client({ token: () => current });
    const stream = one.subscribeResumable(countDocument, {}, resumable);
    server.to(1);
    expect(await take(stream, 1)).toEqual([1]);
    const next = take(stream, 1);
    current = endingIn(3600, 'second');
    await getsToken(one);
    await until(() => server.tokens.length === 2);
    server.to(2);
    expect(await next).toEqual([2]);
    expect(server.tokens[1]).toBe(`Bearer ${current}`);
  });
});

/** Waits for something that happens in this process, on the other side of a socket. */
async function until(happened: () => boolean): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!happened()) {
    if (performance.now() > deadline) throw new Error('it did not happen within 120 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
