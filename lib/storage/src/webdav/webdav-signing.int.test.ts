/** Addresses of files by WebDAV, on a server with a token service that records the requests. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { writeSigned } from '../http/transfers.js';
import { openStorage } from '../open-storage.js';
import { sourceOfBytes } from '../sources.js';
import type { StorageProvider } from '../storage.types.js';

let server: Server;
let address: string;
let storage: StorageProvider;
/** Rights that were asked for. */
let scopes: string[];
let folders: Set<string>;
let made: string[];
/** Digests that uploads came with. */
let digests: unknown[];
/** Answer to a request for a macaroon. */
let macaroon: { status: number; text: string };
/** Called with each request for a token. */
let onToken: () => void;
/** Requests for macaroons. */
let asked: number;
/** The monotonic clock of the storage. */
let monotonicMs: number;

beforeEach(async () => {
  [scopes, made, digests, folders] = [[], [], [], new Set(['/dav', '/dav/heron'])];
  macaroon = { status: 404, text: '' };
  [asked, monotonicMs, onToken] = [0, 0, () => undefined];
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const definition = { provider: 'WEBDAV', address: `${address}/dav`, trustedOrigins: ['https://pool.test'] };
  const client = { tokenUrl: `${address}/token`, clientId: 'core', clientSecret: 'secret' };
  const clock = { now: () => new Date(), monotonicMs: () => monotonicMs };
  storage = openStorage(definition as never, { kind: 'TOKEN_SERVICE', ...client }, { clock });
});
afterEach(async () => {
  await storage.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '').replace(/\/$/, '');
  const above = path.slice(0, path.lastIndexOf('/'));
  const body = await text(request);
  const end = (status: number, content = ''): void => void response.writeHead(status).end(content);
  if (path === '/token') {
    const scope = new URLSearchParams(body).get('scope') ?? '';
    scopes.push(scope);
    onToken();
    return end(200, JSON.stringify({ access_token: 'issued', expires_in: 600, scope }));
  }
  if (request.method === 'POST') {
    asked += 1;
    return end(macaroon.status, macaroon.text);
  }
  if (request.method === 'MKCOL') {
    made.push(path);
    if (folders.has(path)) return end(405);
    if (!folders.has(above)) return end(409);
    folders.add(path);
    return end(201);
  }
  if (request.method !== 'PUT') return end(200);
  digests.push(request.headers['repr-digest']);
  end(folders.has(above) ? 201 : 409);
}

const inAMinute = (): Date => new Date(Date.now() + 60_000);
const granted = (): string[] =>
  scopes.filter((scope) => !scope.includes('storage.modify:/ ') && !scope.endsWith(':/'));

describe('WebDavStorage.sign', () => {
  it('asks for one right only, whatever the key is', async () => {
    const key = 'heron/ada/x storage.modify:/dav/heron';
    await storage.sign(key, { method: 'GET', expiresAt: inAMinute() });
    expect(granted()).toEqual(['storage.read:/dav/heron/ada/x%20storage.modify%3A/dav/heron']);
    expect(granted()[0]?.split(' ')).toHaveLength(1);
  });

  it('makes the collections of a file that is written, once for those of one attempt', async () => {
    const content = sourceOfBytes('content');
    const keys = ['a', 'b', 'c'].map((name) => `heron/ada/jobs/1/${name}`);
    const grant = { method: 'PUT' as const, expiresAt: inAMinute(), sha256: content.sha256 };
    const addresses = await Promise.all(keys.map(async (key) => storage.sign(key, grant)));
    for (const signed of addresses) await writeSigned(signed, content);
    expect([...folders].slice(2)).toEqual(['/dav/heron/ada', '/dav/heron/ada/jobs', '/dav/heron/ada/jobs/1']);
    expect(made.length).toBeLessThan(10);
    expect(digests).toEqual(
      keys.map(() => `sha-256=:${Buffer.from(content.sha256, 'hex').toString('base64')}:`),
    );
    expect(addresses[0]?.trustedOrigins).toEqual(['https://pool.test']);
  });

  it.each([
    ['refuses', 403, ''],
    ['answers with a page', 200, '<html>Welcome</html>'],
    ['does not know', 405, ''],
  ])('takes the token service where a server %s requests for macaroons', async (_, status, page) => {
    macaroon = { status, text: page };
    const grant = { method: 'GET' as const, expiresAt: inAMinute() };
    for (const key of ['heron/x', 'heron/y', 'heron/z']) {
      const { headers } = await storage.sign(key, grant);
      expect(headers).toEqual({ Authorization: 'Bearer issued' });
    }
    expect(asked).toBe(1);
    macaroon = { status: 200, text: '{"macaroon": "AbC"}' };
    monotonicMs += 300_000;
    const limited = await storage.sign('heron/x', grant);
    expect(limited.headers).toEqual({ Authorization: 'Bearer AbC' });
  });

  it('asks for one own token for all files that are signed at the same time', async () => {
    const keys = Array.from({ length: 16 }, (_, at) => `heron/${at}`);
    const grant = { method: 'GET' as const, expiresAt: inAMinute() };
    await Promise.all(keys.map(async (key) => storage.sign(key, grant)));
    expect(scopes).toHaveLength(keys.length + 1);
    expect(granted()).toHaveLength(keys.length);
  });

  it('gives a token to others when one of those who wait for it gives up', async () => {
    const grant = { method: 'GET' as const, expiresAt: inAMinute() };
    const [gone, reason] = [new AbortController(), new Error('gone')];
    onToken = () => gone.abort(reason);
    const given = [
      storage.sign('heron/a', { ...grant, signal: gone.signal }),
      storage.sign('heron/b', grant),
    ];
    const [first, second] = await Promise.allSettled(given);
    expect(first).toEqual({ status: 'rejected', reason });
    expect(second?.status).toBe('fulfilled');
  });
});
