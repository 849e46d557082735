import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openStorage, sourceOfBytes, type StorageProvider } from '@rhizome/storage';
import { describeStorage } from '@rhizome/testkit/storage';
import { type FolderServer, serveByRclone } from './programs.js';

const accessKeyId = 'example-key';
const secretAccessKey = 'example-secret';
const credential = { kind: 'S3', accessKeyId, secretAccessKey } as const;

let server: FolderServer;
beforeAll(async () => {
  server = await serveByRclone('s3', ['--auth-key', `${accessKeyId},${secretAccessKey}`]);
  await mkdir(join(server.folder, 'files'));
});
afterAll(async () => server.close());

const open = (more: object = {}): StorageProvider =>
  openStorage({ provider: 'S3', address: server.url, bucket: 'files', prefix: 'data', ...more }, credential);

// This server does not check the digest of a signed upload, unlike Amazon's, Ceph's and MinIO's.
describeStorage('S3 by rclone', async () => ({ storage: open() }), { signsDigests: false });

describe('a storage by S3', () => {
  it('keeps its files below its prefix', async () => {
    await open({ prefix: 'one' }).put('a', sourceOfBytes('x'));
    expect((await open({ prefix: 'one' }).list('')).files.map(({ key }) => key)).toEqual(['a']);
    expect(await open({ prefix: 'two' }).head('a')).toBeNull();
    expect(await readdir(join(server.folder, 'files', 'one'))).toEqual(['a']);
  });

  it('signs size and digest into the address of an upload', async () => {
    const { sizeBytes, sha256 } = sourceOfBytes('x');
    const grant = { method: 'PUT', expiresAt: new Date(Date.now() + 60_000), sizeBytes, sha256 } as const;
    const { url, headers } = await open().sign('a', grant);
    const signed = new URL(url).searchParams.get('X-Amz-SignedHeaders');
    expect(signed).toBe('content-length;host;x-amz-checksum-sha256;x-amz-meta-sha256');
    expect(headers).toEqual({
      'content-length': '1',
      'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64'),
      'x-amz-meta-sha256': sha256,
    });
  });

  it('signs into the address of a file that browsers download it', async () => {
    const { url } = await open().sign('a', { method: 'GET', expiresAt: new Date(Date.now() + 60_000) });
    expect(new URL(url).searchParams.get('response-content-disposition')).toBe('attachment');
  });

  it('reports a wrong credential, a missing bucket and a server that is gone', async () => {
    const definition = { provider: 'S3', address: server.url, bucket: 'files' } as const;
    const stranger = openStorage(definition, { ...credential, secretAccessKey: 'other' });
    await expect(stranger.get('a')).rejects.toMatchObject({ kind: 'DENIED', mayHelpElsewhere: false });
    await expect(open({ bucket: 'nothing' }).put('a', sourceOfBytes('x'))).rejects.toMatchObject({
      kind: 'INVALID',
    });
    const gone = open({ address: 'http://127.0.0.1:1' });
    await expect(gone.get('a')).rejects.toMatchObject({ kind: 'SLOW', mayHelpElsewhere: true });
  });

  it('refuses the address of a metadata service, and another kind of credential', async () => {
    await expect(open({ address: 'http://169.254.169.254' }).head('a')).rejects.toThrow(/metadata service/);
    const definition = { provider: 'S3', address: server.url, bucket: 'files' } as const;
    expect(() => openStorage(definition, undefined)).toThrow(/needs a credential with an access key/);
  });
});
