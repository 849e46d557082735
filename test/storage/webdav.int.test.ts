import { readdir } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openStorage, sourceOfBytes, type StorageProvider, WebDavStorage } from '@rhizome/storage';
import { waitFor } from '@rhizome/testkit';
import { describeStorage } from '@rhizome/testkit/storage';
import { Agent, request } from 'undici';
import { serveByRclone } from './programs.js';
import { serveByXRootD, type XRootDServer } from './xrootd-server.js';

describeStorage(
  'WebDAV by rclone',
  async () => {
    const server = await serveByRclone('webdav', []);
    return {
      storage: openStorage({ provider: 'WEBDAV', address: `${server.url}/` }, undefined),
      close: server.close,
    };
  },
  { signs: false },
);

let xrootd: XRootDServer;
beforeAll(async () => {
  xrootd = await serveByXRootD();
});
afterAll(async () => xrootd.close());

function open(): StorageProvider {
  const { webUrl, tokenFile, certificate } = xrootd;
  const credential = { kind: 'TOKEN_FILE', file: tokenFile } as const;
  return openStorage({ provider: 'WEBDAV', address: `${webUrl}/data` }, credential, {
    authorities: certificate,
  });
}

describeStorage('WebDAV by XRootD', async () => ({ storage: open() }), {
  signs: false,
  refused: /\?/,
});

describe('a storage by WebDAV with macaroons', () => {
  let storage: StorageProvider;
  let agent: Agent;
  beforeAll(() => {
    storage = open();
    agent = new Agent({ connect: { ca: xrootd.certificate } });
  });
  afterAll(async () => {
    await storage.close();
    await agent.close();
  });
  const status = async (url: string, method: 'GET' | 'PUT', headers = {}, body = ''): Promise<number> => {
    const answer = await request(url, {
      method,
      headers,
      dispatcher: agent,
      body: method === 'PUT' ? body : null,
    });
    await answer.body.dump();
    return answer.statusCode;
  };

  it('signs addresses for one method on one file, with a macaroon in a header', async () => {
    await storage.put('job/1/input', sourceOfBytes('content'));
    const expiresAt = new Date(Date.now() + 60_000);
    const read = await storage.sign('job/1/input', { method: 'GET', expiresAt });
    expect(read.url).toBe(`${xrootd.webUrl}/data/job/1/input`);
    expect(Object.keys(read.headers)).toEqual(['Authorization']);
    expect(await status(read.url, 'GET', read.headers)).toBe(200);
    expect(await status(read.url, 'GET')).toBe(403);
    expect(await status(read.url.replace('input', 'other'), 'GET', read.headers)).toBe(403);
    expect(await status(read.url, 'PUT', read.headers, 'x')).toBe(403);
    const write = await storage.sign('job/1/output', { method: 'PUT', expiresAt });
    expect(await status(write.url, 'PUT', write.headers, 'new')).toBe(201);
    expect(await status(write.url.replace('output', 'input'), 'PUT', write.headers, 'x')).toBe(403);
    expect(await text((await storage.get('job/1/output')).body)).toBe('new');
    expect(await text((await storage.get('job/1/input')).body)).toBe('content');
  });

  it('signs addresses that expire', async () => {
    await storage.put('job/2/input', sourceOfBytes('content'));
    const { url, headers } = await storage.sign('job/2/input', {
      method: 'GET',
      expiresAt: new Date(Date.now() + 2000),
    });
    await waitFor('the end of the macaroon', async () => (await status(url, 'GET', headers)) === 403, {
      deadlineMs: 4000,
    });
    const past = storage.sign('job/2/input', { method: 'GET', expiresAt: new Date(Date.now() - 1000) });
    await expect(past).rejects.toMatchObject({ kind: 'INVALID' });
  });

  it('copies a file from another server without reading it', async () => {
    await storage.put('from/a', sourceOfBytes(Buffer.alloc(3_000_000, 'x')));
    const { url, headers } = await storage.sign('from/a', {
      method: 'GET',
      expiresAt: new Date(Date.now() + 60_000),
    });
    const token = headers['Authorization']?.replace('Bearer ', '');
    const copier = storage as WebDavStorage;
    await copier.copy('to/b', { direction: 'PULL', url, token });
    expect(await storage.head('to/b')).toMatchObject({ sizeBytes: 3_000_000 });
    const failing = copier.copy('to/c', { direction: 'PULL', url: `${xrootd.webUrl}/data/nothing`, token });
    await expect(failing).rejects.toMatchObject({
      name: 'StorageError',
      message: expect.stringContaining('failed'),
    });
  });

  it('reports a token that the server does not accept, without it', async () => {
    const { webUrl: address, certificate: authorities } = xrootd;
    const stranger = openStorage({ provider: 'WEBDAV', address }, undefined, { authorities });
    await expect(stranger.get('data/job/1/input')).rejects.toMatchObject({ kind: 'DENIED' });
    await stranger.close();
    const credential = { kind: 'TOKEN_FILE', file: '/nothing' } as const;
    const without = openStorage({ provider: 'WEBDAV', address }, credential, { authorities });
    await expect(without.get('a')).rejects.toMatchObject({
      kind: 'INVALID',
      message: 'The token file cannot be read',
    });
    await without.close();
  });

  it('leaves no files under temporary names', async () => {
    const names = await readdir(xrootd.folder, { recursive: true });
    expect(names.filter((name) => name.includes('.rhizome-'))).toEqual([]);
  });
});
