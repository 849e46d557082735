import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { parse } from 'graphql';
import { type ApiClient, type ClientOptions, createClient, type Retrying } from './client.js';

interface Ping {
  readonly ping: string | null;
}
const pingQuery = parse('query Ping { ping }') as TypedDocumentNode<Ping, Record<string, never>>;
const pingMutation = parse('mutation Hit { ping }') as TypedDocumentNode<Ping, Record<string, never>>;

/** A recorded request. */
interface Seen {
  readonly headers: IncomingMessage['headers'];
  readonly body: { query: string; operationName?: string; variables: unknown };
}
type Handler = (response: ServerResponse) => void;

const gives = (answer: object, status = 200): Handler => {
  return (response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
};
const good = gives({ data: { ping: 'pong' } });
const failing = (code: string, extensions: object = {}, data?: object): Handler =>
  gives({
    errors: [{ message: `it is ${code}`, extensions: { code, ...extensions } }],
    ...(data ? { data } : {}),
  });
const hangUp: Handler = (response) => void response.socket?.destroy();

let server: Server;
let seen: Seen[];
/** Responses to the next requests; the last one repeats. */
let script: Handler[];
let retries: Retrying[];
let clients: ApiClient[];

beforeEach(async () => {
  seen = [];
  retries = [];
  clients = [];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push({
        headers: request.headers,
        body: JSON.parse(Buffer.concat(chunks).toString()) as Seen['body'],
      });
      const handler = script.length > 1 ? script.shift() : script[0];
      handler?.(response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;

function client(options: Partial<ClientOptions> = {}): ApiClient {
  const made = createClient({
    url: options.url ?? address(),
    token: 'secret',
    retry: { initialDelayMs: 2, maxDelayMs: 10 },
    onRetry: (event) => retries.push(event),
    ...options,
  });
  clients.push(made);
  return made;
}

describe('request', () => {
  it('sends the operation, its name, the token and a request id, and returns the data', async () => {
    script = [good];
    expect(await client().query(pingQuery, {})).toEqual({ ping: 'pong' });
    expect(seen[0]?.body).toEqual({
      query: expect.stringContaining('ping'),
      operationName: 'Ping',
      variables: {},
    });
    expect(seen[0]?.headers).toMatchObject({
      authorization: 'Bearer secret',
      'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  it('uses the connection of the request before it', async () => {
    script = [good];
    let connections = 0;
    server.on('connection', () => (connections += 1));
    const one = client();
    for (let i = 0; i < 20; i += 1) await one.query(pingQuery, {});
    // A second one where the first is still being put back.
    expect(connections).toBeLessThanOrEqual(2);
  });

  it('rejects with code, path, request id and details, without the secret', async () => {
    script = [
      gives({
        data: { ping: null },
        errors: [
          {
            message: 'no such thing',
            path: ['ping'],
            extensions: { code: 'NOT_FOUND', retry: 'never', requestId: 'req-9', field: 'id', value: '7' },
          },
          { message: 'and more', extensions: { code: 'FORBIDDEN' } },
        ],
      }),
    ];
    const error = (await client()
      .query(pingQuery, {})
      .catch((thrown: unknown) => thrown)) as Error & { errors: { code: string }[] };
    expect(error).toMatchObject({
      name: 'RhizomeApiError',
      code: 'NOT_FOUND',
      retry: 'never',
      path: ['ping'],
      requestId: 'req-9',
      details: { field: 'id', value: '7' },
    });
    expect(error.errors.map(({ code }) => code)).toEqual(['NOT_FOUND', 'FORBIDDEN']);
    expect(`${error.stack}${JSON.stringify(error)}`).not.toContain('secret');
    expect(seen).toHaveLength(1);
  });
});

describe('query retry', () => {
  it.each<[string, Handler]>([
    ['the connection broke', hangUp],
    ['a proxy answered 502', (response) => response.writeHead(502).end('<html>')],
    ['a proxy answered 503', (response) => response.writeHead(503).end()],
    ['the service says later', failing('SERVICE_UNAVAILABLE')],
    ['the error brings its own advice', failing('SOMETHING_NEW', { retry: 'now' })],
  ])('repeats the same request after %s', async (_what, failure) => {
    script = [failure, failure, good];
    expect(await client().query(pingQuery, {})).toEqual({ ping: 'pong' });
    expect(seen).toHaveLength(3);
    expect(new Set(seen.map(({ headers }) => headers['x-request-id'])).size).toBe(1);
    expect(retries.map(({ attempt, operationName }) => [attempt, operationName])).toEqual([
      [1, 'Ping'],
      [2, 'Ping'],
    ]);
  });

  it('stops at the allowed number of attempts and rejects with the last error', async () => {
    script = [failing('SERVICE_UNAVAILABLE')];
    const asked = client({ retry: { initialDelayMs: 1, maxDelayMs: 2, attempts: 3 } }).query(pingQuery, {});
    await expect(asked).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(seen).toHaveLength(4);
  });

  it.each<[string, Handler, string]>([
    ['never is the advice', failing('FORBIDDEN'), 'FORBIDDEN'],
    [
      'the address is no API',
      (response) => response.writeHead(404).end('not found'),
      'DOWNSTREAM_SERVICE_ERROR',
    ],
    ['the answer is JSON but no GraphQL', gives([1, 2]), 'DOWNSTREAM_SERVICE_ERROR'],
  ])('sends the query once if %s', async (_what, failure, code) => {
    script = [failure];
    await expect(client().query(pingQuery, {})).rejects.toMatchObject({ code });
    expect(seen).toHaveLength(1);
  });

  it('stops at its abort signal, also during a wait', async () => {
    script = [failing('SERVICE_UNAVAILABLE')];
    const leaving = new AbortController();
    const asked = client({
      retry: { initialDelayMs: 60_000, maxDelayMs: 60_000 },
      onRetry: () => leaving.abort(new Error('left')),
    }).query(pingQuery, {}, { signal: leaving.signal });
    await expect(asked).rejects.toThrow('left');
    expect(seen).toHaveLength(1);
  });

  it('repeats the request after a timeout', async () => {
    script = [() => undefined, good];
    expect(await client({ timeoutMs: 1000 }).query(pingQuery, {})).toEqual({ ping: 'pong' });
    expect(retries[0]?.error).toMatchObject({ code: 'REQUEST_TIMEOUT' });
  });
});

describe('mutation', () => {
  it('is retried like a query if it is idempotent', async () => {
    script = [hangUp, good];
    expect(await client().mutate(pingMutation, {}, { idempotent: true })).toEqual({ ping: 'pong' });
    expect(seen).toHaveLength(2);
  });

  it.each<[string, Handler, string]>([
    ['the connection broke', hangUp, 'SERVICE_UNAVAILABLE'],
    ['a proxy answered 502', (response) => response.writeHead(502).end(), 'SERVICE_UNAVAILABLE'],
    ['the service says later', failing('SERVICE_UNAVAILABLE'), 'SERVICE_UNAVAILABLE'],
  ])('is sent once if it is not idempotent and %s', async (_what, failure, code) => {
    script = [failure];
    await expect(client().mutate(pingMutation, {}, { idempotent: false })).rejects.toMatchObject({ code });
    expect(seen).toHaveLength(1);
  });

  it('is retried if the server cannot have received it', async () => {
    const { port } = server.address() as AddressInfo;
    const url = address();
    await new Promise((resolve) => server.close(resolve));
    const asked = client({
      url,
      retry: { initialDelayMs: 20, maxDelayMs: 20, attempts: 50 },
      onRetry: (event) => {
        retries.push(event);
        if (retries.length === 2) server.listen(port, '127.0.0.1');
      },
    }).mutate(pingMutation, {}, { idempotent: false });
    script = [good];
    expect(await asked).toEqual({ ping: 'pong' });
    expect(retries[0]?.error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', notSent: true });
  });
});

describe('partial result', () => {
  it('is returned with its errors on request, without a retry', async () => {
    script = [failing('SERVICE_UNAVAILABLE', {}, { ping: null })];
    const answer = await client().execute(pingQuery, {}, { idempotent: true });
    expect(answer).toEqual({
      data: { ping: null },
      errors: [expect.objectContaining({ code: 'SERVICE_UNAVAILABLE' })],
    });
    expect(seen).toHaveLength(1);
  });
});

describe('expired token', () => {
  it('is replaced once, also for a mutation that is not idempotent', async () => {
    script = [failing('TOKEN_EXPIRED'), good];
    const asked: boolean[] = [];
    const token = (expired: boolean) => {
      asked.push(expired);
      return `token-${asked.length}`;
    };
    expect(await client({ token }).mutate(pingMutation, {}, { idempotent: false })).toEqual({ ping: 'pong' });
    expect(asked).toEqual([false, true]);
    expect(seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  it('rejects if the new token is expired as well or there is none', async () => {
    script = [failing('TOKEN_EXPIRED')];
    await expect(client({ token: () => 'old' }).query(pingQuery, {})).rejects.toMatchObject({
      code: 'TOKEN_EXPIRED',
    });
    expect(seen).toHaveLength(2);
    await expect(client().query(pingQuery, {})).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
    expect(seen).toHaveLength(3);
  });
});
