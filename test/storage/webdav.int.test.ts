import { readdir } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Connections,
  isStorageError,
  openStorage,
  readSigned,
  sourceOfBytes,
  type StorageProvider,
  type WebDavStorage,
  writeSigned,
} from '@rhizome/storage';
import { waitFor } from '@rhizome/testkit';
import { describeStorage } from '@rhizome/testkit/storage';
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
  let http: Connections;
  beforeAll(() => {
    storage = open();
    http = new Connections(xrootd.certificate);
  });
  afterAll(async () => {
    await storage.close();
    http.close();
  });
  const inAMinute = (): Date => new Date(Date.now() + 60_000);
  const denied = { kind: 'DENIED' };

  it('signs addresses for one method on one file, with a macaroon in a header', async () => {
    await storage.put('job/1/input', sourceOfBytes('content'));
    const read = await storage.sign('job/1/input', { method: 'GET', expiresAt: inAMinute() });
    expect(read.url).toBe(`${xrootd.webUrl}/data/job/1/input`);
    expect(Object.keys(read.headers)).toEqual(['Authorization']);
    expect(await text((await readSigned(read, { http })).body)).toBe('content');
    await expect(readSigned({ ...read, headers: {} }, { http })).rejects.toMatchObject(denied);
    const otherFile = { ...read, url: read.url.replace('input', 'other') };
    await expect(readSigned(otherFile, { http })).rejects.toMatchObject(denied);
    await expect(writeSigned(read, sourceOfBytes('x'), { http })).rejects.toMatchObject(denied);
    const write = await storage.sign('job/1/output', { method: 'PUT', expiresAt: inAMinute() });
    await writeSigned(write, sourceOfBytes('new'), { http });
    const otherOutput = { ...write, url: write.url.replace('output', 'input') };
    await expect(writeSigned(otherOutput, sourceOfBytes('x'), { http })).rejects.toMatchObject(denied);
    expect(await text((await storage.get('job/1/output')).body)).toBe('new');
    expect(await text((await storage.get('job/1/input')).body)).toBe('content');
  });

  it('signs addresses that expire', async () => {
    await storage.put('job/2/input', sourceOfBytes('content'));
    const expiresAt = new Date(Date.now() + 2000);
    const address = await storage.sign('job/2/input', { method: 'GET', expiresAt });
    const isDenied = async (): Promise<boolean> =>
      readSigned(address, { http }).then(
        async ({ body }) => (await text(body), false),
        (error: unknown) => isStorageError(error, 'DENIED'),
      );
    await waitFor('the end of the macaroon', isDenied, { deadlineMs: 4000 });
    const past = storage.sign('job/2/input', { method: 'GET', expiresAt: new Date(Date.now() - 1000) });
    await expect(past).rejects.toMatchObject({ kind: 'INVALID' });
  });

  it('copies a file from another server without reading it', async () => {
    await storage.put('from/a', sourceOfBytes(Buffer.alloc(3_000_000, 'x')));
    const { url, headers } = await storage.sign('from/a', {
      method: 'GET',
      expiresAt: inAMinute(),
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
