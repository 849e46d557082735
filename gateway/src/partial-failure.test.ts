import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { leftovers, waitFor } from '@rhizome/testkit';
import { composeSubgraphs } from '@rhizome/federation/testing';
import { buildGateway } from './app.js';
import { serveGateway, type ServedGateway } from './serve.js';
import { post } from './testing/post.js';
import { RawSocket } from './testing/raw-socket.js';
import { createHttpTransport } from './transports/index.js';

// Subgraphs behind real sockets that fail in every way that sockets allow: the rest of the response, and the
// reported errors.

const query = '{ things { id name extra { text } more } }';
const whole = [1, 2, 3].map((id) => ({ id: `${id}`, name: `thing ${id}` }));
const timeoutMs = 300;
const maxAnswerBytes = 100_000;

type Behaviour = (request: IncomingMessage, response: ServerResponse, ids: readonly string[]) => void;

const entitiesOf = (ids: readonly string[]): unknown[] =>
  ids.map((id) => ({ __typename: 'Thing', extra: { text: `extra ${id}` }, more: 7 }));
const answer = (response: ServerResponse, body: unknown, status = 200): void =>
  void response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(typeof body === 'string' ? body : JSON.stringify(body));
const healthy: Behaviour = (_request, response, ids) =>
  answer(response, { data: { _entities: entitiesOf(ids) } });

let behaviour: Behaviour = healthy;
let closedEarly = 0;
let served: ServedGateway;
let beta: Server;
let urls: Readonly<Record<string, number>>;
let port: number;

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function listen(server: Server, on = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(on, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function stop(server: Server): Promise<unknown> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
}

function makeBeta(): Server {
  return createServer((request, response) => {
    response.once('close', () => {
      if (!response.writableFinished) closedEarly++;
    });
    void readBody(request).then((text) => {
      const { variables } = JSON.parse(text) as { variables: { representations: { id: string }[] } };
      behaviour(
        request,
        response,
        variables.representations.map(({ id }) => id),
      );
    });
  });
}

beforeAll(async () => {
  const alpha = createServer((_request, response) =>
    answer(response, { data: { things: whole.map((thing) => ({ __typename: 'Thing', ...thing })) } }),
  );
  beta = makeBeta();
  urls = { alpha: await listen(alpha), beta: (port = await listen(beta)) };
  leftovers.defer('the subgraphs', () => Promise.all([stop(alpha), stop(beta)]));
});

// A gateway for each test: after many failures its circuit breaker stays open for a while.
beforeEach(async () => {
  behaviour = healthy;
  closedEarly = 0;
  const gateway = await buildGateway({
    supergraphSdl: composeSubgraphs([
      {
        name: 'alpha',
        sdl: 'type Query { things: [Thing!]! } type Thing @key(fields: "id") { id: ID! name: String }',
      },
      {
        name: 'beta',
        sdl: 'type Thing @key(fields: "id") { id: ID! extra: Extra more: Int } type Extra { text: String }',
      },
    ]),
    transports: (subgraph) => {
      const url = `http://127.0.0.1:${urls[subgraph]}/graphql`;
      return createHttpTransport({ subgraph, url, maxAnswerBytes });
    },
    verifier: undefined,
    log: silentLogger(),
    planning: 'inline',
    engineLimits: { subgraphTimeoutMs: 60_000, subgraphTimeoutsMs: { beta: timeoutMs } },
  });
  served = await serveGateway(gateway, { port: 0 });
});

afterEach(() => served.close(0));

const silent: Behaviour = () => undefined;

describe('a subgraph that fails', () => {
  it.each<[string, Behaviour, string]>([
    ['is slow', silent, 'DOWNSTREAM_SERVICE_ERROR'],
    [
      'sends the headers of a response and no more',
      (_, response) => response.writeHead(200).write('{"data":'),
      'DOWNSTREAM_SERVICE_ERROR',
    ],
    [
      'sends garbage',
      (_, response) => answer(response, '<html>busy</html>', 503),
      'DOWNSTREAM_SERVICE_ERROR',
    ],
    ['sends nothing', (_, response) => answer(response, ''), 'DOWNSTREAM_SERVICE_ERROR'],
    ['sends a list', (_, response) => answer(response, []), 'DOWNSTREAM_SERVICE_ERROR'],
    [
      'sends bytes that are not HTTP',
      (request) => request.socket.end('220 mail ready\r\n'),
      'DOWNSTREAM_SERVICE_ERROR',
    ],
    ['hangs up', (request) => request.socket.destroy(), 'DOWNSTREAM_SERVICE_ERROR'],
    [
      'closes in the middle of a response',
      (_, response) => {
        response.writeHead(200, { 'content-length': 1000 });
        response.write('{"data":{"_entities":[', () => response.destroy());
      },
      'DOWNSTREAM_SERVICE_ERROR',
    ],
    [
      'sends more than is accepted',
      (_, response) =>
        answer(response, { data: { _entities: [{ extra: { text: 'x'.repeat(2 * maxAnswerBytes) } }] } }),
      'LIMIT_EXCEEDED',
    ],
    [
      'returns no entity',
      (_, response) => answer(response, { data: { _entities: [] } }),
      'DOWNSTREAM_SERVICE_ERROR',
    ],
    [
      'returns malformed errors',
      (_, response) => answer(response, { data: null, errors: [null] }),
      'DOWNSTREAM_SERVICE_ERROR',
    ],
    [
      'reports overload',
      (_, response) =>
        answer(
          response,
          { errors: [{ message: 'later', extensions: { code: 'SERVICE_UNAVAILABLE' } }] },
          503,
        ),
      'SERVICE_UNAVAILABLE',
    ],
  ])(
    'leaves only its own fields null, with one error that names it, when it %s',
    async (_name, faulty, code) => {
      behaviour = faulty;
      const { status, body } = await post(served.url, query);
      expect(status).toBe(200);
      expect(body.data).toEqual({ things: whole.map((thing) => ({ ...thing, extra: null, more: null })) });
      const paths = [0, 1, 2].flatMap((index) => [
        ['things', index, 'extra'],
        ['things', index, 'more'],
      ]);
      expect(body.errors).toEqual([
        expect.objectContaining({
          path: paths[0],
          extensions: expect.objectContaining({ code, subgraph: 'beta', count: 6, paths }),
        }),
      ]);
      behaviour = healthy;
      expect((await post(served.url, query)).body.errors).toBeUndefined();
    },
  );

  it('is called again once it is back', async () => {
    await stop(beta);
    const { body } = await post(served.url, query);
    expect(body.data).toEqual({ things: whole.map((thing) => ({ ...thing, extra: null, more: null })) });
    expect(body.errors).toHaveLength(1);
    expect(body.errors?.[0]?.extensions).toMatchObject({
      code: 'DOWNSTREAM_SERVICE_ERROR',
      subgraph: 'beta',
      retry: 'later',
    });
    beta = makeBeta();
    await listen(beta, port);
    expect((await post(served.url, query)).body.errors).toBeUndefined();
  });

  it('keeps the entities it sent when it sends fewer than requested', async () => {
    behaviour = (_request, response, ids) =>
      answer(response, { data: { _entities: entitiesOf(ids).slice(0, 1) } });
    const { body } = await post(served.url, query);
    expect(body.data).toEqual({
      things: whole.map((thing, i) => ({
        ...thing,
        ...(i === 0 ? { extra: { text: 'extra 1' }, more: 7 } : { extra: null, more: null }),
      })),
    });
    expect(body.errors).toEqual([
      expect.objectContaining({
        path: ['things', 1, 'extra'],
        message: 'The service "beta" answered 1 entities of 3',
      }),
    ]);
  });

  it('keeps the position of each of its own errors', async () => {
    behaviour = (_request, response, ids) =>
      answer(response, {
        data: { _entities: ids.map(() => ({ extra: null, more: 7 })) },
        errors: ids.map((id, i) => ({
          message: `no ${id}`,
          path: ['_entities', i, 'extra'],
          extensions: { code: 'NOT_FOUND' },
        })),
      });
    const { body } = await post(served.url, query);
    expect(body.errors).toEqual(
      [1, 2, 3].map((id) => ({
        message: `no ${id}`,
        path: ['things', id - 1, 'extra'],
        extensions: { code: 'NOT_FOUND', retry: 'never', subgraph: 'beta', requestId: expect.any(String) },
      })),
    );
  });
});

describe('a client that disconnects', () => {
  it('cancels its subgraph requests over HTTP', async () => {
    let called = (): void => undefined;
    const wasCalled = new Promise<void>((resolve) => (called = resolve));
    behaviour = () => called();
    const leave = new AbortController();
    const request = fetch(served.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: `${query} #gone` }),
      signal: leave.signal,
    }).catch(() => undefined);
    await waitFor('the subgraph request', wasCalled, { deadlineMs: 2000 });
    leave.abort();
    await request;
    await waitFor('the end of the subgraph request', () => closedEarly === 1, { deadlineMs: timeoutMs });
  });

  it('cancels its subgraph requests by closing its socket', async () => {
    let called = (): void => undefined;
    const wasCalled = new Promise<void>((resolve) => (called = resolve));
    behaviour = () => called();
    const socket = await RawSocket.ready(served.wsUrl, {});
    socket.subscribe('1', query);
    await waitFor('the subgraph request', wasCalled, { deadlineMs: 2000 });
    socket.drop();
    await waitFor('the end of the subgraph request', () => closedEarly === 1, { deadlineMs: timeoutMs });
  });
});
