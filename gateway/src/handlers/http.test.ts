import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type TestSystem, startTestSystem } from '../testing/test-system.js';
import { codesOf, post, send } from '../testing/post.js';

let system: TestSystem;
let headers: Record<string, string>;

beforeAll(async () => {
  system = await startTestSystem({ limits: { bodyBytes: 4096, aliases: 3, rootFields: 4, directives: 2 } });
  headers = await system.bearer();
});

afterAll(() => system.served.close());

describe('authentication', () => {
  it.each([
    ['nobody', async () => ({}), 'UNAUTHENTICATED'],
    ['a token of another kind', async () => ({ authorization: 'Basic YTpi' }), 'UNAUTHENTICATED'],
    [
      'a token with a foreign signature',
      async () => system.bearer(await system.tokens.foreign()),
      'UNAUTHENTICATED',
    ],
    ['an expired token', async () => system.bearer(await system.tokens.expired()), 'TOKEN_EXPIRED'],
  ])('refuses %s with 401 at every endpoint', async (_who, given, code) => {
    const sent = await given();
    const { url, origin } = system.served;
    const answers = await Promise.all([
      post(url, '{ items { id } }', sent),
      post(url, '{ __schema { queryType { name } } }', sent),
      post(url, 'mutation { touchItem(id: "a") { id } }', sent),
      send(`${url}?query=${encodeURIComponent('{ items { id } }')}`, { headers: sent }),
      post(url, 'subscription { level { value } }', { ...sent, accept: 'text/event-stream' }),
      send(`${origin}/metrics`, { headers: sent }),
    ]);
    for (const answer of answers) {
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      expect(codesOf(answer)).toEqual([code]);
    }
  });

  it('never returns the token in a response', async () => {
    const token = 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.';
    expect((await post(system.served.url, '{ items { id } }', { authorization: token })).text).not.toContain(
      'eyJ',
    );
  });
});

describe('a response', () => {
  it('keeps the order of the selection, joined from both subgraphs', async () => {
    const { text, status } = await post(system.served.url, '{ items { label id } }', headers);
    expect(status).toBe(200);
    expect(text).toMatch(/^\{"data":\{"items":\[\{"label":"label of a","id":"a"\}/);
  });

  it('carries the request id of the client, or a new one', async () => {
    const mine = await post(system.served.url, '{ fails }', { ...headers, 'x-request-id': 'req-7' });
    expect(mine.headers.get('x-request-id')).toBe('req-7');
    expect(mine.body.errors?.[0]?.extensions).toMatchObject({ requestId: 'req-7' });
    const fresh = await post(system.served.url, '{ items { id } }', {
      ...headers,
      'x-request-id': 'no good id!',
    });
    expect(fresh.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
  });

  it('masks internals', async () => {
    const { text, status, body } = await post(system.served.url, '{ fails item(id: "a") { id } }', headers);
    expect(status).toBe(200);
    expect(text).not.toContain('hunter2');
    expect(body.data).toEqual({ fails: null, item: { id: 'a' } });
    expect(body.errors).toEqual([expect.objectContaining({ path: ['fails'] })]);
  });

  it('has status 200 for request errors under application/json, and 400 under the GraphQL type', async () => {
    const legacy = await post(system.served.url, '{ nonsense }', { ...headers, accept: 'application/json' });
    expect([legacy.status, codesOf(legacy)]).toEqual([200, ['GRAPHQL_VALIDATION_FAILED']]);
    const own = await post(system.served.url, '{ nonsense', headers);
    expect([own.status, codesOf(own)]).toEqual([400, ['GRAPHQL_PARSE_FAILED']]);
  });
});

describe('refused requests', () => {
  const document = encodeURIComponent('{ items { id } }');

  it('answers a mutation over GET with 405', async () => {
    const before = system.log.cursor;
    const mutation = encodeURIComponent('mutation { touchItem(id: "a") { id } }');
    const answer = await send(`${system.served.url}?query=${mutation}`, { headers });
    expect([answer.status, answer.headers.get('allow'), codesOf(answer)]).toEqual([
      405,
      'POST',
      ['BAD_REQUEST'],
    ]);
    expect(system.log.cursor).toBe(before);
  });

  it('answers another method with 405', async () => {
    const answer = await send(system.served.url, { method: 'DELETE', headers });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, POST']);
  });

  it('answers an unsupported Accept header with 406', async () => {
    const answer = await post(system.served.url, '{ items { id } }', { ...headers, accept: 'text/html' });
    expect(answer.status).toBe(406);
  });

  it('answers a subscription without an accepted stream type with 406', async () => {
    const answer = await post(system.served.url, 'subscription { level { value } }', headers);
    expect([answer.status, codesOf(answer)]).toEqual([406, ['BAD_REQUEST']]);
  });

  it('answers too large a body with 413, announced or not', async () => {
    const answer = await post(system.served.url, `{ items { id } } #${'x'.repeat(5000)}`, headers);
    expect([answer.status, codesOf(answer)]).toEqual([413, ['REQUEST_TOO_LARGE']]);
    const status = await new Promise((resolve, reject) => {
      const request = httpRequest(system.served.url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
      });
      request.on('response', (response) => resolve(response.statusCode)).on('error', reject);
      for (let i = 0; i < 5; i++) request.write('x'.repeat(1000));
      request.end();
    });
    expect(status).toBe(413);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    'answers a body of type %s, which a page could send to another site, with 415',
    async (type) => {
      const answer = await post(system.served.url, '{ items { id } }', { ...headers, 'content-type': type });
      expect(answer.status).toBe(415);
    },
  );

  it('answers a list of operations with 400', async () => {
    const answer = await send(system.served.url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify([{ query: '{ items { id } }' }]),
    });
    expect([answer.status, codesOf(answer)]).toEqual([400, ['BAD_REQUEST']]);
  });

  it('answers the unknown hash of a persisted operation with PersistedQueryNotFound', async () => {
    const answer = await send(system.served.url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ extensions: { persistedQuery: { version: 1, sha256Hash: 'x' } } }),
    });
    expect([answer.status, codesOf(answer)]).toEqual([200, ['PERSISTED_QUERY_NOT_FOUND']]);
  });

  it.each([
    ['aliases', '{ a: __typename b: __typename c: __typename d: __typename }'],
    [
      'root fields',
      '{ items { id } i: items { id } j: items { id } ...More } fragment More on Query { k: items { id } fails }',
    ],
    ['directives', '{ items @skip(if: false) { id @skip(if: false) name @skip(if: false) } }'],
  ])('refuses too many %s before anything runs', async (field, query) => {
    const answer = await post(system.served.url, query, headers);
    expect(answer.status).toBe(400);
    expect(codesOf(answer)).toContain('OPERATION_TOO_COMPLEX');
    expect(answer.body.errors?.[0]?.message).toContain(field);
  });

  it.each([
    [{ origin: 'https://elsewhere.example' }, 403],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'user-agent': 'Mozilla/5.0 (an old browser)' }, 403],
    [{ 'user-agent': 'Mozilla/5.0', 'sec-fetch-site': 'same-origin' }, 401],
    [{ 'user-agent': 'Mozilla/5.0', 'apollo-require-preflight': 'true' }, 401],
    [{ 'user-agent': 'curl/8' }, 401],
  ])('answers a GET that a page of another site could cause, %j, with %d', async (sent, status) => {
    const given = await new Promise((resolve, reject) => {
      httpRequest(`${system.served.url}?query=${document}`, { headers: sent as Record<string, string> })
        .on('response', (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end();
    });
    expect(given).toBe(status);
  });
});

describe('without authentication', () => {
  let open: TestSystem;
  beforeAll(async () => {
    open = await startTestSystem({ noAuth: true });
  });
  afterAll(() => open.served.close());

  it.each([
    [{ host: 'rebound.example:4000' }, 403],
    [{ origin: 'https://elsewhere.example' }, 403],
    [{}, 200],
  ])('serves only this machine: %j', async (sent, status) => {
    const given = await new Promise((resolve, reject) => {
      const request = httpRequest(open.served.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(sent as Record<string, string>) },
      });
      request.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject);
      request.end(JSON.stringify({ query: '{ items { id } }' }));
    });
    expect(given).toBe(status);
  });
});

describe('concurrent reads', () => {
  const waiting = (count: number) => () => system.slow.waiting === count;
  const reset = (): void => {
    system.slow.waiting = 0;
    system.slow.aborted = 0;
  };

  it('shares one execution between equal reads at equal permissions, whatever the token', async () => {
    reset();
    const tokens = await Promise.all(['ann', 'ben', 'cat'].map((name) => system.tokens.admin(name)));
    const asks = tokens.map(async (token) => post(system.served.url, '{ slow }', await system.bearer(token)));
    await waitFor('the execution', waiting(1), { deadlineMs: 1000 });
    await waitFor(
      'the other requests',
      async () => (await metric('rhizome_gateway_operations_running')) === 3,
      { deadlineMs: 1000 },
    );
    system.finishSlow();
    for (const { body } of await Promise.all(asks)) expect(body).toEqual({ data: { slow: 'done' } });
    expect(system.slow.waiting).toBe(1);
    expect(await metric('rhizome_gateway_shared_reads_total')).toBe(2);
  });

  it('never shares it at other permissions, or for fields that depend on the caller', async () => {
    reset();
    const reader = await system.bearer(await system.tokens.reader('beta'));
    const asks = [post(system.served.url, '{ slow }', headers), post(system.served.url, '{ slow }', reader)];
    await waitFor('both executions', waiting(2), { deadlineMs: 1000 });
    system.finishSlow();
    await Promise.all(asks);
    const names = ['ann', 'ben'];
    const answers = names.map(async (name) =>
      post(system.served.url, '{ whoAmI slow }', await system.bearer(await system.tokens.admin(name))),
    );
    await waitFor('both executions', waiting(4), { deadlineMs: 1000 });
    system.finishSlow();
    expect((await Promise.all(answers)).map(({ body }) => body.data)).toEqual(
      names.map((whoAmI) => ({ whoAmI, slow: 'done' })),
    );
  });

  it('aborts the execution only when its last client has disconnected', async () => {
    reset();
    const leaving = new AbortController();
    const staying = new AbortController();
    const ask = (signal: AbortSignal) =>
      fetch(system.served.url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: '{"query":"{ slow }"}',
        signal,
      }).catch(() => 'gone');
    const asks = [ask(leaving.signal), ask(staying.signal)];
    await waitFor('both', async () => (await metric('rhizome_gateway_operations_running')) === 2, {
      deadlineMs: 1000,
    });
    leaving.abort();
    await waitFor('one left', async () => (await metric('rhizome_gateway_operations_running')) === 1, {
      deadlineMs: 1000,
    });
    expect(system.slow).toEqual({ waiting: 1, aborted: 0 });
    staying.abort();
    await waitFor('the abort', () => system.slow.aborted === 1, { deadlineMs: 1000 });
    expect(await Promise.all(asks)).toEqual(['gone', 'gone']);
    system.finishSlow();
  });

  async function metric(name: string): Promise<number> {
    const text = await system.gateway.metrics.registry.getSingleMetricAsString(name);
    return Number(/\s(\d+)$/.exec(text.trim())?.[1]);
  }
});

describe('other paths', () => {
  it('serves health and readiness to everybody', async () => {
    const { origin } = system.served;
    expect((await send(`${origin}/healthz`)).text).toBe('{"status":"ok"}');
    expect((await send(`${origin}/readyz`)).text).toBe('{"ready":true,"checks":{}}');
  });

  it('serves no metrics to pilots, agents and readers', async () => {
    const { tokens } = system;
    for (const token of [
      await tokens.pilot('main'),
      await tokens.agent('admin@example', 'ADMIN'),
      await tokens.reader('alpha'),
    ]) {
      const answer = await send(`${system.served.origin}/metrics`, {
        headers: await system.bearer(token),
      });
      expect([answer.status, codesOf(answer)]).toEqual([403, ['FORBIDDEN']]);
    }
  });

  it('serves metrics with the permission', async () => {
    const { text, status } = await send(`${system.served.origin}/metrics`, { headers });
    expect(status).toBe(200);
    expect(text).toContain('rhizome_gateway_operation_seconds_bucket');
    expect(text).toContain('rhizome_gateway_errors_total{code=');
  });

  it('answers an unknown path with 404', async () => {
    for (const path of [
      '/nothing',
      '/graphql/x',
      '/graphiql/../../package.json',
      '/%2e%2e/package.json',
      '/%00',
    ]) {
      expect((await send(system.served.origin + path)).status).toBe(404);
    }
  });
});

describe('introspection', () => {
  it('can be open to everybody, but nothing else', async () => {
    const { url } = (await startTestSystem({ introspection: 'open' })).served;
    const schema = await post(
      url,
      'query S { ...F } fragment F on Query { __schema { queryType { name } } __typename }',
    );
    expect(schema.body.data).toEqual({ __schema: { queryType: { name: 'Query' } }, __typename: 'Query' });
    const more = await post(url, '{ __typename items { id } }');
    expect([more.status, codesOf(more)]).toEqual([401, ['UNAUTHENTICATED']]);
  });

  it('can be off', async () => {
    const { served, bearer } = await startTestSystem({ introspection: 'off' });
    const answer = await post(served.url, '{ __schema { queryType { name } } }', await bearer());
    expect(codesOf(answer)).toEqual(['GRAPHQL_VALIDATION_FAILED']);
  });
});
