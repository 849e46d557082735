import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { createPrincipal } from '@rhizome/authz';
import { parse } from 'graphql';
import type { SubgraphOperation, SubgraphRequest, Transport } from '@rhizome/federation';
import { createHttpTransport } from './index.js';

type Handler = (request: IncomingMessage & { body: string }, response: ServerResponse) => void;

let server: Server | undefined;
let transport: Transport | undefined;

async function serve(
  handler: Handler,
  options: Partial<Parameters<typeof createHttpTransport>[0]> = {},
): Promise<Transport> {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () =>
      handler(Object.assign(request, { body: Buffer.concat(chunks).toString() }), response),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  transport = createHttpTransport({
    subgraph: 'alpha',
    url: `http://127.0.0.1:${port}/graphql?x=1`,
    tokenFor: ({ subject }) => `alpha for ${subject}`,
    ...options,
  });
  return transport;
}

afterEach(async () => {
  await transport?.close();
  transport = undefined;
  server?.closeAllConnections();
  if (server) await new Promise((resolve) => server?.close(resolve));
  server = undefined;
});

const operation = (kind: 'query' | 'mutation' = 'query'): SubgraphOperation => ({
  subgraph: 'alpha',
  kind,
  documentText: `${kind} Q { a(text: "x") }`,
  document: parse(`${kind} Q { a }`),
  operationName: 'Q',
});
const request = (more: Partial<SubgraphRequest> = {}): SubgraphRequest => ({
  operation: operation(),
  scope: 's',
  requestId: 'r1',
  ...more,
});
const json = (response: ServerResponse, body: unknown, status = 200): void => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};

describe('createHttpTransport', () => {
  it("posts the operation with variables as they were written, a call token and the request's id", async () => {
    const seen: Record<string, unknown>[] = [];
    const http = await serve((received, response) => {
      seen.push({
        url: received.url,
        method: received.method,
        headers: received.headers,
        body: received.body,
      });
      json(response, { data: { a: 'ü' } });
    });
    const principal = createPrincipal({
      kind: 'HUMAN',
      subject: 'me',
      grants: [],
      expiresAt: new Date(1e15),
      token: 'secret',
    });
    const result = await http.execute(
      request({
        variablesText: '{"n":1.50}',
        principal,
        headers: { 'x-trace': 't', authorization: 'other' },
      }),
    );
    expect(result).toEqual({ data: { a: 'ü' }, errors: undefined });
    expect(seen[0]).toMatchObject({
      url: '/graphql?x=1',
      method: 'POST',
      body: '{"query":"query Q { a(text: \\"x\\") }","operationName":"Q","variables":{"n":1.50}}',
      headers: {
        authorization: 'Bearer alpha for me',
        'x-request-id': 'r1',
        'x-trace': 't',
        'content-type': 'application/json',
      },
    });
    await http.execute(request());
    expect(seen[1]).toMatchObject({ body: '{"query":"query Q { a(text: \\"x\\") }","operationName":"Q"}' });
    expect((seen[1]?.['headers'] as Record<string, unknown>)['authorization']).toBeUndefined();
  });

  it('keeps its connections', async () => {
    const ports = new Set<number | undefined>();
    const http = await serve((received, response) => {
      ports.add(received.socket.remotePort);
      json(response, { data: {} });
    });
    for (let round = 0; round < 20; round++) await http.execute(request());
    // A connection is free again a moment after its response: the next call may take a second one.
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  it('has connections of their own for calls that wait for work', async () => {
    const waiting: ServerResponse[] = [];
    const http = await serve(
      ({ body }, response) => {
        if (body.includes('mutation')) waiting.push(response);
        else json(response, { data: { a: 'now' } });
      },
      { connections: 1 },
    );
    const takes = Array.from({ length: 3 }, () =>
      http.execute(request({ operation: operation('mutation'), waitMs: 60_000 })),
    );
    expect(await http.execute(request())).toMatchObject({ data: { a: 'now' } });
    while (waiting.length < 3) await new Promise(setImmediate);
    for (const response of waiting) json(response, { data: { a: 'later' } });
    for (const take of takes) expect(await take).toMatchObject({ data: { a: 'later' } });
  });

  it('accepts errors with an error status', async () => {
    const http = await serve((_asked, response) => json(response, { errors: [{ message: 'no' }] }, 400));
    expect(await http.execute(request())).toEqual({ data: undefined, errors: [{ message: 'no' }] });
  });

  it('reports malformed errors as errors without losing data', async () => {
    const errors = [
      'oops',
      null,
      { message: 5, path: 'a', extensions: [] },
      { message: 'm', path: ['a', {}], extensions: null },
      { message: 'right', path: ['a', 0], extensions: { code: 'X' } },
    ];
    const http = await serve((_asked, response) => json(response, { data: { a: 1 }, errors }));
    const unnamed = { message: 'An error without a message' };
    expect(await http.execute(request())).toEqual({
      data: { a: 1 },
      errors: [
        unnamed,
        unnamed,
        unnamed,
        { message: 'm' },
        { message: 'right', path: ['a', 0], extensions: { code: 'X' } },
      ],
    });
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
  ])('decodes an unrequested %s response', async (encoding, encode) => {
    const http = await serve((_asked, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': encoding });
      response.end(encode('{"data":{"a":"ü"}}'));
    });
    expect(await http.execute(request())).toEqual({ data: { a: 'ü' } });
  });

  it.each([
    ['gzip', gzipSync(Buffer.alloc(100_000, ' ')), 'LIMIT_EXCEEDED'],
    ['gzip', Buffer.from('{"data":{}}'), 'DOWNSTREAM_SERVICE_ERROR'],
    ['zip', Buffer.from('{"data":{}}'), 'DOWNSTREAM_SERVICE_ERROR'],
  ])('reports a %s response that cannot be used', async (encoding, body, code) => {
    const http = await serve(
      (_asked, response) => response.writeHead(200, { 'content-encoding': encoding }).end(body),
      { maxAnswerBytes: 50_000 },
    );
    await expect(http.execute(request())).rejects.toMatchObject({ code });
  });

  it('joins a response in many pieces, cut within a character', async () => {
    const body = Buffer.from(JSON.stringify({ data: { a: 'ü'.repeat(50) } }));
    const http = await serve((_asked, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      for (let at = 0; at < body.length; at += 7) response.write(body.subarray(at, at + 7));
      response.end();
    });
    expect((await http.execute(request())).data).toEqual({ a: 'ü'.repeat(50) });
  });

  it.each<[string, Handler, string]>([
    [
      'a page',
      (_asked, response) => response.writeHead(502).end('<html>Bad Gateway</html>'),
      'HTTP status 502',
    ],
    ['nothing', (_asked, response) => response.writeHead(204).end(), 'HTTP status 204'],
    ['JSON that is no answer', (_asked, response) => json(response, { ok: true }), 'HTTP status 200'],
    ['a number', (_asked, response) => json(response, 7), 'HTTP status 200'],
    ['null', (_asked, response) => json(response, null), 'HTTP status 200'],
    [
      'errors that are no list',
      (_asked, response) => json(response, { errors: [{ message: 'x' }] }, 401),
      'did not accept the token of the gateway',
    ],
    [
      'half of an answer',
      (_asked, response) => response.writeHead(200).end('{"data":{"a":'),
      'HTTP status 200',
    ],
  ])('reports %s instead of a response', async (_name, handler, message) => {
    const http = await serve(handler);
    await expect(http.execute(request())).rejects.toMatchObject({
      code: 'DOWNSTREAM_SERVICE_ERROR',
      message: expect.stringContaining(message),
    });
  });

  it('reports a connection that closes during a response', async () => {
    const http = await serve((_asked, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"data":');
      setImmediate(() => response.destroy());
    });
    await expect(http.execute(request())).rejects.toMatchObject({
      code: 'DOWNSTREAM_SERVICE_ERROR',
      message: expect.stringContaining('"alpha"'),
    });
  });

  it('reports a refused connection', async () => {
    const http = createHttpTransport({ subgraph: 'alpha', url: 'http://127.0.0.1:1/graphql' });
    await expect(http.execute(request())).rejects.toMatchObject({
      code: 'DOWNSTREAM_SERVICE_ERROR',
      message: 'The service "alpha" could not be reached',
    });
    await http.close();
  });

  it('reports a response that is too large', async () => {
    const http = await serve((_asked, response) => json(response, { data: { a: 'x'.repeat(5_000) } }), {
      maxAnswerBytes: 1_000,
    });
    await expect(http.execute(request())).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('ends the call on both sides on abort', async () => {
    const controller = new AbortController();
    const closed: Promise<unknown>[] = [];
    const http = await serve((received) => {
      closed.push(once(received.socket, 'close'));
      controller.abort(new Error('left'));
    });
    await expect(http.execute(request({ signal: controller.signal }))).rejects.toThrow('left');
    await closed[0];
    expect(closed).toHaveLength(1);
  });

  it('sends nothing if aborted before the call', async () => {
    let received = 0;
    const http = await serve((_asked, response) => {
      received++;
      json(response, { data: {} });
    });
    await expect(http.execute(request({ signal: AbortSignal.abort(new Error('early')) }))).rejects.toThrow(
      'early',
    );
    expect(received).toBe(0);
  });

  it('repeats a query, but not a mutation, on a persistent connection that the server has closed', async () => {
    const bodies: string[] = [];
    const http = await serve((received, response) => {
      bodies.push(received.body);
      if (bodies.length === 2) received.socket.destroy();
      else json(response, { data: { a: bodies.length } });
    });
    await http.execute(request());
    expect((await http.execute(request())).data).toEqual({ a: 3 });
    bodies.length = 1;
    await expect(http.execute(request({ operation: operation('mutation') }))).rejects.toMatchObject({
      code: 'DOWNSTREAM_SERVICE_ERROR',
    });
    expect(bodies).toHaveLength(2);
  });

  it.each(['', 'ftp://alpha.test/graphql', '/graphql'])('refuses the invalid address %j', (url) => {
    expect(() => createHttpTransport({ subgraph: 'alpha', url })).toThrow(
      /^subgraphs\.alpha\.url: .* is not valid; must be an address with http: or https:/,
    );
  });

  it('has no subscriptions unless they are configured', async () => {
    const http = await serve((_asked, response) => json(response, { data: {} }));
    expect(() => http.subscribe(request())).toThrow('no subscriptions');
  });
});
