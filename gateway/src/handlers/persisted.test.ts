import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { codesOf, type HttpAnswer, send } from '../testing/post.js';
import { RawSocket } from '../testing/raw-socket.js';
import { startTestSystem, type TestSystem } from '../testing/test-system.js';

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const extensionsOf = (sha256Hash: string) => ({ persistedQuery: { version: 1, sha256Hash } });
const registered = 'query Registered { items { id } }';
const manifest = {
  client: 'dashboard',
  only: true,
  operations: [{ id: hashOf(registered), body: registered }],
};
const data = { items: [{ id: 'a' }, { id: 'b' }, { id: 'c' }] };

interface Sent {
  readonly query?: string | undefined;
  readonly hash?: string;
  readonly client?: string;
}

async function ask({ served, bearer }: TestSystem, { query, hash, client }: Sent): Promise<HttpAnswer> {
  const body = { query, ...(hash === undefined ? {} : { extensions: extensionsOf(hash) }) };
  const headers = {
    'content-type': 'application/json',
    ...(await bearer()),
    ...(client === undefined ? {} : { 'apollographql-client-name': client }),
  };
  return send(served.url, { method: 'POST', headers, body: JSON.stringify(body) });
}

describe('automatic persisted queries', () => {
  let system: TestSystem;
  beforeAll(async () => {
    system = await startTestSystem();
  });

  it('asks for the document once, as clients of Apollo expect, and then takes the hash alone', async () => {
    const query = '{ items { id } }';
    const unknown = await ask(system, { hash: hashOf(query) });
    expect([unknown.status, codesOf(unknown)]).toEqual([200, ['PERSISTED_QUERY_NOT_FOUND']]);
    expect(unknown.body.errors?.[0]?.message).toBe('PersistedQueryNotFound');
    expect((await ask(system, { query, hash: hashOf(query) })).body).toEqual({ data });
    expect((await ask(system, { hash: hashOf(query) })).body).toEqual({ data });
    const search = new URLSearchParams({ extensions: JSON.stringify(extensionsOf(hashOf(query))) });
    const read = await send(`${system.served.url}?${search.toString()}`, { headers: await system.bearer() });
    expect(read.body).toEqual({ data });
  });

  it('takes a hash on a socket', async () => {
    const query = '{ items { id name } }';
    await ask(system, { query, hash: hashOf(query) });
    const socket = await RawSocket.ready(system.served.wsUrl, await system.bearer());
    socket.send({
      id: '1',
      type: 'subscribe',
      payload: { query: '', extensions: extensionsOf(hashOf(query)) },
    });
    expect((await socket.next('next')).payload).toMatchObject({
      data: { items: [{ name: 'item a' }, {}, {}] },
    });
    socket.drop();
  });

  it('refuses a hash that is not that of the document, and a malformed one', async () => {
    const wrong = await ask(system, { query: '{ items { id } }', hash: hashOf('{ other }') });
    expect([wrong.status, codesOf(wrong)]).toEqual([400, ['BAD_REQUEST']]);
    expect(wrong.text).toContain('provided sha does not match query');
    const malformed = await ask(system, { hash: 'x'.repeat(65) });
    expect([malformed.status, codesOf(malformed)]).toEqual([400, ['BAD_REQUEST']]);
  });

  it('keeps nothing of a stranger', async () => {
    const query = '{ items { id label } }';
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ query, extensions: extensionsOf(hashOf(query)) });
    expect((await send(system.served.url, { method: 'POST', headers, body })).status).toBe(401);
    expect(codesOf(await ask(system, { hash: hashOf(query) }))).toEqual(['PERSISTED_QUERY_NOT_FOUND']);
  });

  it('reports that it does not support them if they are switched off', async () => {
    const without = await startTestSystem({ persistedOperations: { automatic: false } });
    const query = '{ items { id } }';
    expect((await ask(without, { query, hash: hashOf(query) })).body).toEqual({ data });
    const answer = await ask(without, { hash: hashOf(query) });
    expect([answer.status, codesOf(answer)]).toEqual([200, ['PERSISTED_QUERY_NOT_SUPPORTED']]);
  });
});

describe('registered operations', () => {
  it('runs them by their hash, and nothing else of a client with a manifest of its own', async () => {
    const system = await startTestSystem({ persistedOperations: { manifests: [manifest] } });
    const client = 'dashboard';
    expect((await ask(system, { hash: hashOf(registered), client })).body).toEqual({ data });
    expect((await ask(system, { query: registered, client })).body).toEqual({ data });
    const query = '{ items { id } }';
    const refused = await ask(system, { query, client });
    expect([refused.status, codesOf(refused)]).toEqual([403, ['OPERATION_NOT_REGISTERED']]);
    expect(codesOf(await ask(system, { query, hash: hashOf(query), client }))).toEqual([
      'OPERATION_NOT_REGISTERED',
    ]);
    expect((await ask(system, { query, client: 'cli' })).body).toEqual({ data });
    const socket = await RawSocket.ready(system.served.wsUrl, {
      ...(await system.bearer()),
      'graphql-client-name': client,
    });
    socket.subscribe('1', query);
    expect(JSON.stringify((await socket.next('error')).payload)).toContain('OPERATION_NOT_REGISTERED');
    socket.drop();
  });

  it('runs the operations of all versions of a client', async () => {
    const earlier = 'query Earlier { items { id } }';
    const version = { ...manifest, operations: [{ id: hashOf(earlier), body: earlier }] };
    const system = await startTestSystem({ persistedOperations: { manifests: [version, manifest] } });
    const { client } = manifest;
    for (const query of [earlier, registered]) {
      expect((await ask(system, { query, client })).body).toEqual({ data });
      expect((await ask(system, { hash: hashOf(query), client })).body).toEqual({ data });
    }
    expect(codesOf(await ask(system, { query: '{ items { id } }', client }))).toEqual([
      'OPERATION_NOT_REGISTERED',
    ]);
  });

  it('runs nothing else on a gateway for registered operations only', async () => {
    const system = await startTestSystem({
      persistedOperations: { only: true, manifests: [{ operations: manifest.operations }] },
    });
    expect((await ask(system, { query: registered })).body).toEqual({ data });
    const query = '{ items { id } }';
    expect(codesOf(await ask(system, { query }))).toEqual(['OPERATION_NOT_REGISTERED']);
    expect(codesOf(await ask(system, { query, hash: hashOf(query) }))).toEqual(['OPERATION_NOT_REGISTERED']);
    expect(codesOf(await ask(system, { hash: hashOf(query) }))).toEqual(['PERSISTED_QUERY_NOT_FOUND']);
  });
});
