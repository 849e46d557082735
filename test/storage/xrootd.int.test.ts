import { readdir } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Connections,
  openStorage,
  readSigned,
  sourceOfBytes,
  type StorageProvider,
  writeSigned,
} from '@rhizome/storage';
import { describeStorage } from '@rhizome/testkit/storage';
import { serveByXRootD, type XRootDServer } from './xrootd-server.js';

let server: XRootDServer;
beforeAll(async () => {
  server = await serveByXRootD({ isOpen: true });
});
afterAll(async () => server.close());

const open = (webAddress?: string): StorageProvider => {
  const credential = { kind: 'TOKEN_FILE', file: server.tokenFile } as const;
  const definition = { provider: 'XROOTD', address: `${server.url}/data`, webAddress } as const;
  return openStorage(definition, credential, { authorities: server.certificate });
};

describeStorage("XRootD by the platform's client", async () => ({ storage: open() }), {
  signs: false,
  refused: /[?&\s']/,
});

describe('a storage by XRootD', () => {
  it('signs addresses of the same folder by WebDAV', async () => {
    const storage = open(`${server.webUrl}/data`);
    await storage.put('a/b', sourceOfBytes('content'));
    const address = await storage.sign('a/b', { method: 'GET', expiresAt: new Date(Date.now() + 60_000) });
    const http = new Connections(server.certificate);
    expect(await text((await readSigned(address, { http })).body)).toBe('content');
    http.close();
    await storage.close();
    const signing = open().sign('a/b', { method: 'GET', expiresAt: new Date(Date.now() + 60_000) });
    await expect(signing).rejects.toThrow(/set webAddress/);
  });

  it('removes files that were stored by signed addresses, also with names that its client does not take', async () => {
    const storage = open(`${server.webUrl}/data`);
    const http = new Connections(server.certificate);
    const key = "plots/fit of 'Z' & more";
    const expiresAt = new Date(Date.now() + 60_000);
    await writeSigned(await storage.sign(key, { method: 'PUT', expiresAt }), sourceOfBytes('content'), {
      http,
    });
    expect((await storage.list('plots/')).files).toMatchObject([{ key, sizeBytes: 7 }]);
    await storage.delete(key);
    expect((await storage.list('plots/')).files).toEqual([]);
    http.close();
    await storage.close();
  });

  it('reports a server that is gone', async () => {
    const gone = openStorage({ provider: 'XROOTD', address: 'root://127.0.0.1:1//data' }, undefined);
    await expect(gone.head('a')).rejects.toMatchObject({ kind: 'SLOW', mayHelpElsewhere: true });
  });

  it('refuses an address of another protocol, or with a credential in it', () => {
    for (const address of [
      'https://eos.test//a',
      'root://user:secret@eos.test//a',
      'root://eos.test//a?authz=x',
    ])
      expect(() => openStorage({ provider: 'XROOTD', address }, undefined)).toThrow(/is no root/);
  });

  it('takes a scheme in capitals, as core does', async () => {
    const address = `${server.url.replace('root', 'ROOT')}/data`;
    const credential = { kind: 'TOKEN_FILE', file: server.tokenFile } as const;
    const storage = openStorage({ provider: 'XROOTD', address }, credential);
    await storage.put('capitals', sourceOfBytes('content'));
    expect(await storage.head('capitals')).toMatchObject({ sizeBytes: 7 });
  });

  it('leaves no files under temporary names', async () => {
    const names = await readdir(server.folder, { recursive: true });
    expect(names.filter((name) => name.includes('.rhizome-'))).toEqual([]);
  });
});
