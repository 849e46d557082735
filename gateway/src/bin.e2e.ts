import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { leftovers, spawnProcess, testPrincipal, type TestProcess, waitFor } from '@rhizome/testkit';
import { parse } from 'graphql';
import { composeSubgraphs, testSubgraph } from '@rhizome/federation/testing';
import { codesOf, post, send } from './testing/post.js';
import { RawSocket } from './testing/raw-socket.js';
import { type RemoteSystem, startRemoteSystem } from './testing/remote-system.js';

const bin = fileURLToPath(new URL('../bin/rhizome-gateway.mjs', import.meta.url));
const changes = 'subscription ($after: String) { itemChanged(after: $after) { cursor item { id label } } }';

interface Started {
  readonly process: TestProcess;
  readonly url: string;
  readonly wsUrl: string;
  readonly origin: string;
}

async function startGateway(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const process = spawnProcess({
    name: 'gateway',
    command: 'node',
    args: [bin, '--port', '0', ...args],
    env,
  });
  const [, url = ''] = await process.line(/^rhizome-gateway: (http\S+)$/, 10_000);
  return { process, url, wsUrl: url.replace('http', 'ws'), origin: new URL(url).origin };
}

describe('a gateway over the network', () => {
  let system: RemoteSystem;
  let gateway: Started;
  let headers: Record<string, string>;

  beforeAll(async () => {
    system = await startRemoteSystem();
    gateway = await startGateway(['--supergraph', system.supergraphFile], system.env);
    headers = { authorization: `Bearer ${await system.tokens.admin()}` };
  });
  afterAll(() => gateway.process.kill());

  it('joins both subgraphs with the token of the caller', async () => {
    const { body } = await post(gateway.url, '{ whoAmI items { id label } }', headers);
    expect(body.data).toEqual({
      whoAmI: 'admin@example',
      items: ['a', 'b', 'c'].map((id) => ({ id, label: `label of ${id}` })),
    });
  });

  it('authenticates callers', async () => {
    expect((await post(gateway.url, '{ items { id } }')).status).toBe(401);
    expect((await post(gateway.url, '{ items { id } }', { authorization: 'Bearer x' })).status).toBe(401);
  });

  it('refuses the token of a queue unless it is allowed', async () => {
    const ofQueue = { authorization: `Bearer ${await system.tokens.pilot('Q')}` };
    expect((await post(gateway.url, '{ items { id } }', ofQueue)).status).toBe(401);
    const env = { ...system.env, RHIZOME_GATEWAY_ALLOW_QUEUE_TOKENS: 'true' };
    const allowing = await startGateway(['--supergraph', system.supergraphFile], env);
    expect((await post(allowing.url, '{ items { id } }', ofQueue)).status).toBe(200);
    await allowing.process.kill();
  });

  it('serves metrics of the process', async () => {
    const { text } = await send(`${gateway.origin}/metrics`, { headers });
    expect(text).toContain('process_cpu_user_seconds_total');
  });

  it('returns null for the fields of a subgraph that is down, with an error that names it', async () => {
    await system.stop('beta');
    const { body, status } = await post(gateway.url, '{ item(id: "a") { name label } }', headers);
    expect(status).toBe(200);
    expect(body.data).toEqual({ item: { name: 'item a', label: null } });
    expect(body.errors).toHaveLength(1);
    expect(body.errors?.[0]).toMatchObject({
      path: ['item', 'label'],
      extensions: { subgraph: 'beta', retry: 'later' },
    });
    await system.start('beta');
    const again = await post(gateway.url, '{ item(id: "a") { label } }', headers);
    expect(again.body.data).toEqual({ item: { label: 'label of a' } });
  });

  it('continues a stream without a gap after a restart of its subgraph', async () => {
    const sockets = await Promise.all([1, 2].map(() => RawSocket.ready(gateway.wsUrl, headers)));
    for (const socket of sockets) {
      socket.subscribe('1', changes);
      await socket.next('next');
    }
    expect(system.log.open).toBe(1);
    await system.stop('alpha');
    system.log.append('while it was down');
    await system.start('alpha');
    system.log.append('after');
    for (const socket of sockets) {
      const seen = [await socket.next('next'), await socket.next('next')].map(({ payload }) => payload);
      expect(seen).toMatchObject(
        ['while it was down', 'after'].map((id) => ({
          data: { itemChanged: { item: { id, label: `label of ${id}` } } },
        })),
      );
      socket.drop();
    }
    await waitFor('the end of the upstream', () => system.log.open === 0, { deadlineMs: 2000 });
  });

  it('reloads its supergraph file when it changes and on SIGHUP, and keeps the current one if the file is broken', async () => {
    const other = await startGateway(['--supergraph', system.supergraphFile], system.env);
    const socket = await RawSocket.ready(other.wsUrl, headers);
    socket.subscribe('1', changes);
    await socket.next('next');
    const extra = async () => codesOf(await post(other.url, '{ items { extra } }', headers));
    expect(await extra()).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    await system.rewriteSupergraph('extra: String');
    await waitFor('the new field', async () => (await extra()).length === 0, { deadlineMs: 60_000 });
    await writeFile(system.supergraphFile, 'type Query {');
    other.process.signal('SIGHUP');
    await other.process.line(/supergraph not reloaded/, 60_000);
    expect(await extra()).toEqual([]);
    await system.rewriteSupergraph('');
    other.process.signal('SIGHUP');
    await waitFor('the old graph', async () => (await extra()).length === 1, { deadlineMs: 60_000 });
    system.log.append('still');
    expect((await socket.next('next')).payload).toMatchObject({
      data: { itemChanged: { item: { id: 'still' } } },
    });
    await other.process.kill();
  });

  it('ends streams with their cursors on SIGTERM and exits with 0', async () => {
    const other = await startGateway(['--supergraph', system.supergraphFile], system.env);
    const socket = await RawSocket.ready(other.wsUrl, headers);
    socket.subscribe('1', changes);
    await socket.next('next');
    const cursor = system.log.cursor;
    other.process.signal('SIGTERM');
    const { payload } = await socket.next('error');
    expect(payload).toMatchObject([{ extensions: { code: 'SHUTTING_DOWN', cursor } }]);
    expect((await socket.closed).code).toBe(1001);
    expect(await waitFor('the end of the process', other.process.exited, { deadlineMs: 4000 })).toEqual({
      code: 0,
      signal: null,
    });
  });
});

describe('a gateway without authentication', () => {
  it('serves any Federation 2 supergraph with the addresses in it', async () => {
    const subgraph = testSubgraph({
      name: 'gamma',
      sdl: 'type Query { hello(name: String!): String @shareable }',
      resolvers: { Query: { hello: (_parent: unknown, { name }: { name: string }) => `hello ${name}` } },
    });
    const server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += String(chunk)));
      request.on('end', () => {
        const { query, variables } = JSON.parse(text) as {
          query: string;
          variables?: Record<string, unknown>;
        };
        const call = { document: parse(query), variables, principal: testPrincipal(), requestId: 'r' };
        void subgraph.execute(call).then((result) => {
          response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
        });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    leftovers.defer('the server of gamma', () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    const { port } = server.address() as AddressInfo;
    const sdl = composeSubgraphs([subgraph]).replace(
      'http://gamma.invalid/graphql',
      `http://127.0.0.1:${port}/`,
    );
    const system = await startRemoteSystem();
    const file = join(system.supergraphFile, '..', 'gamma.graphql');
    await writeFile(file, sdl);
    const gateway = await startGateway(['--supergraph', file, '--no-auth']);
    const { body } = await post(
      gateway.url,
      'query ($name: String!) { hello(name: $name) }',
      {},
      { name: 'world' },
    );
    expect(body).toEqual({ data: { hello: 'hello world' } });
    expect(codesOf(await post(gateway.url, '{ hello }'))).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    await gateway.process.kill();
  });
});

describe('an invalid command', () => {
  it.each([
    [['--supergraph', 'x', '--no-auth', '--host', '0.0.0.0'], 'only loopback is allowed'],
    [['--supergraph', 'x', '--port', '70000'], 'RHIZOME_GATEWAY_PORT is 70000'],
    [['--port', '0', '--no-auth'], 'neither RHIZOME_GATEWAY_SUPERGRAPH nor'],
    [['--supergraph', '/does/not/exist', '--no-auth'], '/does/not/exist cannot be read'],
    [['--supergraph', bin, '--no-auth'], 'The supergraph cannot be used'],
    [['--supergraph', 'x'], 'no token issuer is set'],
    [['--what'], "Unknown option '--what'"],
  ])('exits with 1 for %j and prints the reason', async (args, text) => {
    const process = spawnProcess({ name: 'gateway', command: 'node', args: [bin, ...args] });
    expect((await process.exited).code).toBe(1);
    expect(process.stderr.join('\n')).toContain(text);
    expect(process.stderr.join('\n')).not.toMatch(/^\s+at /m);
  });
});
