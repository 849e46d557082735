import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@rhizome/log';
import { serveSubgraph } from './serve.js';
import {
  foreign,
  demo,
  get,
  issuer,
  lines,
  plantStream,
  post,
  serve,
  serveDemoSubgraphs,
  served,
  socketClient,
  tokenOf,
  until,
  verifier,
} from '../testing/served-demo-subgraph.fixture.js';

serveDemoSubgraphs();

describe('serve over HTTP', () => {
  it('accepts a valid token and returns the request id', async () => {
    const answer = await post('{ me }', await tokenOf(issuer, 'READER'), {
      headers: { 'x-request-id': 'req-7' },
    });
    expect(answer).toMatchObject({ status: 200, body: { data: { me: 'somebody in eden' } } });
    expect(answer.headers.get('x-request-id')).toBe('req-7');
  });

  it.each<[string, () => Promise<string | undefined>, string]>([
    ['none', async () => undefined, 'UNAUTHENTICATED'],
    ['junk', async () => 'junk', 'UNAUTHENTICATED'],
    ['one by somebody else', () => tokenOf(foreign, 'ADMIN'), 'UNAUTHENTICATED'],
    ['an ended one', () => tokenOf(issuer, 'ADMIN', -5), 'TOKEN_EXPIRED'],
  ])('refuses a token that is %s with 401 before it reads the body', async (_what, mint, code) => {
    const answer = await post('{ me }', await mint(), { body: 'no json' });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.body.errors).toEqual([
      expect.objectContaining({ extensions: expect.objectContaining({ code }) }),
    ]);
    expect(demo.ran).toEqual([]);
  });

  it('shapes errors by the catalogue and keeps internals in the log, with the request id', async () => {
    const answer = await post('{ broken strictlyBroken { must } }', await tokenOf(issuer, 'READER'), {
      headers: { 'x-request-id': 'req-8' },
    });
    expect(answer.body.data).toEqual({ broken: null, strictlyBroken: null });
    expect(JSON.stringify(answer.body)).not.toContain('hunter2');
    const codes = answer.body.errors?.map(({ extensions }) => [extensions['code'], extensions['requestId']]);
    expect(codes?.sort()).toEqual([
      ['CONFLICT', 'req-8'],
      ['INTERNAL_SERVER_ERROR', 'req-8'],
    ]);
    const failed = lines.filter((line) => line.includes('resolver failed'));
    expect(failed).toHaveLength(1);
    expect(failed[0]).toContain('"requestId":"req-8"');
  });

  it.each([
    ['that is no JSON', 'junk', 400, 'BAD_REQUEST'],
    ['without a query', '{"variables":{}}', 400, 'BAD_REQUEST'],
    ['that does not parse', '{"query":"{"}', 400, 'GRAPHQL_PARSE_FAILED'],
    ['that does not fit the schema', '{"query":"{ nothing }"}', 400, 'GRAPHQL_VALIDATION_FAILED'],
    [
      'that asks for the schema',
      '{"query":"{ __schema { types { name } } }"}',
      400,
      'GRAPHQL_VALIDATION_FAILED',
    ],
  ])('refuses a request %s with its code', async (_what, body, status, code) => {
    const answer = await post('', await tokenOf(issuer, 'READER'), { body });
    expect(answer.status).toBe(status);
    expect(answer.body.errors?.[0]?.extensions).toMatchObject({ code });
    expect(answer.body.errors?.[0]?.extensions).not.toHaveProperty('stacktrace');
  });

  it('refuses a body that is too large', async () => {
    await served.close();
    await serve({ maxBodyBytes: 1000 });
    const answer = await post(`{ me } # ${'x'.repeat(2000)}`, await tokenOf(issuer, 'READER'));
    expect(answer.body.errors?.[0]).toMatchObject({
      message: expect.stringContaining('must be at most 1000'),
      extensions: { code: 'REQUEST_TOO_LARGE' },
    });
  });

  it('answers introspection where it is allowed', async () => {
    await served.close();
    await serve({ introspection: true });
    const answer = await post('{ __schema { queryType { name } } }', await tokenOf(issuer, 'READER'));
    expect(answer.body.data).toEqual({ __schema: { queryType: { name: 'Query' } } });
  });

  it('loads entities in one batch', async () => {
    const query = `{ _entities(representations: [{__typename: "Plant", id: "2"}, {__typename: "Plant", id: "9"}, {__typename: "Plant", id: "1"}]) { ... on Plant { name } } }`;
    const answer = await post(query, await tokenOf(issuer, 'READER'));
    expect(answer.body.data).toEqual({ _entities: [{ name: 'moss' }, null, { name: 'fern' }] });
    expect(demo.batches).toEqual(['Plant:2,9,1']);
  });

  it('aborts a running operation when its client disconnects', async () => {
    const token = await tokenOf(issuer, 'READER');
    const left = new AbortController();
    const asked = post('{ slow(ms: 60000) }', token, { signal: left.signal });
    await until(() => demo.ran.includes('slow'));
    left.abort();
    await expect(asked).rejects.toThrow(/abort/i);
    await until(() => demo.ran.includes('slow aborted'));
  });
});

describe('the fast path for plain operations', () => {
  const ask = { method: 'POST', headers: {} as Record<string, string> };
  const asked = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
    ...ask,
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const two = 'query A { me } query B($id: ID!) { plant(id: $id) { name } }';
  const legacy = { accept: 'application/json' };
  const modern = { accept: 'application/graphql-response+json' };
  it.each<[string, RequestInit]>([
    ['a query', asked({ query: '{ plants { id name } }' })],
    [
      'a query with variables',
      asked({ query: 'query ($id: ID!) { plant(id: $id) { name } }', variables: { id: '1' } }),
    ],
    ['no variables', asked({ query: '{ me }', variables: null, operationName: null })],
    ['a named operation', asked({ query: two, operationName: 'B', variables: { id: '2' } })],
    ['an operation that is not named', asked({ query: two })],
    ['an operation that is not there', asked({ query: two, operationName: 'C' })],
    ['errors in fields', asked({ query: '{ broken strictlyBroken { must } }' })],
    ['a variable that is missing', asked({ query: two, operationName: 'B' })],
    ['a variable that is missing, reported by status', asked({ query: two, operationName: 'B' }, modern)],
    ['variables that are a list', asked({ query: '{ me }', variables: [] })],
    ['variables that are a text', asked({ query: '{ me }', variables: '{}' })],
    ['a name that is a number', asked({ query: '{ me }', operationName: 7 })],
    ['additional keys', asked({ query: '{ me }', extensions: { a: 1 } })],
    ['a batch', asked([{ query: '{ me }' }])],
    ['a type by its name', asked({ query: '{ __typename me }' })],
    ['a subscription', asked({ query: 'subscription { plantChanged { cursor } }' })],
    ['JSON that is asked for', asked({ query: '{ me }' }, legacy)],
    ['the media type of GraphQL that is asked for', asked({ query: '{ me }' }, modern)],
    [
      'what gateways ask for',
      asked({ query: '{ me }' }, { accept: 'application/graphql-response+json, application/json' }),
    ],
    ['a type that is not sent', asked({ query: '{ me }' }, { accept: 'text/plain' })],
    ['a text that is no JSON by its type', asked({ query: '{ me }' }, { 'content-type': 'text/plain' })],
  ])('answers as the full pipeline does: %s', async (_what, init) => {
    const token = await tokenOf(issuer, 'READER');
    const seen: unknown[] = [];
    for (const mode of ['jit', 'interpreted'] as const) {
      await served.close();
      await serve({ mode });
      const headers = { 'x-request-id': 'req-9', ...(init.headers as Record<string, string>) };
      const answer = await post('', token, { ...init, headers });
      const shown = ['content-type', 'cache-control', 'x-request-id'].map((name) => answer.headers.get(name));
      // Compiled code does not report locations in the document; the path of an error shows its field.
      const errors = answer.body.errors?.map((error) => ({ ...error, locations: undefined }));
      seen.push({ status: answer.status, shown, body: { ...answer.body, errors } });
    }
    expect(seen[0]).toEqual(seen[1]);
  });
});

describe('health', () => {
  it('reports alive and ready without a token and serves no other paths', async () => {
    expect(await get('/healthz')).toEqual({ status: 200, body: { status: 'ok' } });
    expect(await get('/readyz')).toEqual({ status: 200, body: { ready: true } });
    expect((await get('/')).status).toBe(404);
  });

  it('reports not ready if the service says so and if its check fails', async () => {
    await served.close();
    const checks = { mongo: 'no primary' };
    await serve({ readiness: async () => ({ ready: false, checks }) });
    expect(await get('/readyz')).toEqual({ status: 503, body: { ready: false, checks } });
    await served.close();
    await serve({ readiness: () => Promise.reject(new Error('secret')) });
    const { status, body } = await get('/readyz');
    expect(status).toBe(503);
    expect(JSON.stringify(body)).not.toContain('secret');
  });
});

describe('metrics', () => {
  const registry = { contentType: 'text/plain; version=0.0.4', metrics: async () => 'demo_total 1\n' };
  const scrape = async (token?: string) => {
    const headers = new Headers(token === undefined ? [] : [['authorization', `Bearer ${token}`]]);
    const answer = await fetch(new URL('/metrics', served.url), { headers });
    return { status: answer.status, text: await answer.text() };
  };

  it('returns them to callers with the permission alone', async () => {
    await served.close();
    await serve({ metrics: { registry, isOpen: false } });
    expect(await scrape(await tokenOf(issuer, 'OPERATOR'))).toEqual({ status: 200, text: 'demo_total 1\n' });
    for (const [token, status] of [
      [undefined, 401],
      ['junk', 401],
      [await tokenOf(foreign, 'ADMIN'), 401],
      [await tokenOf(issuer, 'READER'), 403],
      [await tokenOf(issuer, 'PILOT'), 403],
    ] as const) {
      const refused = await scrape(token);
      expect(refused.status).toBe(status);
      expect(refused.text).not.toContain('demo_total');
    }
  });

  it('returns them to everybody if they are open', async () => {
    await served.close();
    await serve({ metrics: { registry, isOpen: true } });
    expect(await scrape()).toEqual({ status: 200, text: 'demo_total 1\n' });
  });

  it('has none unless they are given', async () => {
    expect((await scrape(await tokenOf(issuer, 'ADMIN'))).status).toBe(404);
  });
});

describe('a drain', () => {
  it('ends a live stream with 1001, and its source', async () => {
    const client = socketClient(await tokenOf(issuer, 'READER'));
    const stream = client.iterate(plantStream);
    const first = stream.next();
    first.catch(() => undefined);
    await until(() => demo.streams.length === 1);
    await served.close();
    expect(await client.closed).toEqual({ code: 1001, reason: 'Going away' });
    await expect(first).rejects.toMatchObject({ code: 1001 });
    expect(demo.streams[0]?.feed.ended).toBe(true);
  });

  it('finishes running operations, refuses new ones and frees the port', async () => {
    const token = await tokenOf(issuer, 'READER');
    const asked = post('{ slow(ms: 300) }', token);
    await until(() => demo.ran.includes('slow'));
    // The server closes a connection that is open already, such as that of a load balancer.
    const idle = httpRequest(served.url, { method: 'POST', headers: { 'content-length': '2' } });
    idle.flushHeaders();
    await once(idle, 'socket').then(([socket]) => once(socket as NodeJS.EventEmitter, 'connect'));
    const closed = served.close();
    const refused = once(idle, 'response') as Promise<[{ statusCode: number; resume(): void }]>;
    idle.end('{}');
    const [response] = await refused;
    response.resume();
    expect(response.statusCode).toBe(503);
    expect((await asked).body).toEqual({ data: { slow: 'done' } });
    await closed;
    const again = createServer().listen(served.port, '127.0.0.1');
    await once(again, 'listening');
    await new Promise((resolve) => again.close(resolve));
  });

  it('ends within its time limit', async () => {
    await served.close();
    await serve({ drainMs: 100 });
    const asked = post('{ slow(ms: 60000) }', await tokenOf(issuer, 'READER'));
    asked.catch(() => undefined);
    await until(() => demo.ran.includes('slow'));
    // The resolver would take a minute.
    await served.close();
    await expect(asked).rejects.toThrow();
    await until(() => demo.ran.includes('slow aborted'));
  });
});

it('reports a port that is in use', async () => {
  const log = createLogger({ name: 'demo', destination: { write: () => undefined } });
  await expect(serveSubgraph({ subgraph: demo.subgraph, verifier, log, port: served.port })).rejects.toThrow(
    expect.objectContaining({
      code: 'PORT_TAKEN',
      message: `Port ${served.port} of 127.0.0.1 is in use; choose another one, or 0 for a free one.`,
    }),
  );
});

it('writes its URL to the address file once it answers', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-address-'));
  const addressFile = join(folder, 'demo.address');
  await served.close();
  await serve({ addressFile });
  expect(await readFile(addressFile, 'utf8')).toBe(`${served.url}\n`);
  expect(await readdir(folder)).toEqual(['demo.address']);
  expect((await fetch(new URL('/healthz', served.url))).status).toBe(200);
  await rm(folder, { recursive: true });
});
