import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@rhizome/clock';
import { createLogger } from '@rhizome/log';
import { openStorage, sourceOfBytes, type StorageProvider } from '@rhizome/storage';
import { spawnProcess, waitFor } from '@rhizome/testkit';
import { describeStorage } from '@rhizome/testkit/storage';
import { request } from 'undici';
import { FileService, type FileServiceOptions } from './app.js';
import { type ServedFiles, serveFiles } from './serve.js';

const key = randomBytes(32);
const inAMinute = (): Date => new Date(Date.now() + 60_000);

interface Started {
  readonly folder: string;
  readonly served: ServedFiles;
  readonly service: FileService;
  readonly storage: StorageProvider;
  readonly lines: string[];
  close(): Promise<void>;
}

async function start(options: Partial<FileServiceOptions> = {}): Promise<Started> {
  const folder = await mkdtemp(join(tmpdir(), 'file-service-'));
  const lines: string[] = [];
  const log = createLogger({
    name: 'storage',
    level: 'info',
    destination: { write: (line: string) => void lines.push(line) },
  });
  const service = await FileService.open({ folder, keys: () => [key], clock: systemClock, log, ...options });
  const served = await serveFiles(service, { log, drainMs: 30_000 });
  const definition = { provider: 'FOLDER', address: served.url } as const;
  const storage = openStorage(definition, { kind: 'SIGNING_KEYS', keys: [key] });
  const close = async (): Promise<void> => {
    await served.close();
    await rm(folder, { recursive: true });
  };
  return { folder, served, service, storage, lines, close };
}

describeStorage('a folder behind the file service', start);

describe('the file service', () => {
  let started: Started;
  let storage: StorageProvider;
  beforeAll(async () => {
    started = await start({
      origins: ['https://dashboard.test'],
      openMetrics: true,
      largestFileBytes: 10_000_000,
    });
    storage = started.storage;
  });
  afterAll(async () => started.close());

  const addressOf = async (name: string, method: 'GET' | 'PUT' = 'GET', more = {}): Promise<string> =>
    (await storage.sign(name, { method, expiresAt: inAMinute(), ...more })).url;
  const partials = async (): Promise<string[]> => readdir(join(started.folder, '.rhizome-partial'));

  it('serves files so that browsers do not show them as pages', async () => {
    await storage.put('page.html', sourceOfBytes('<script>alert(1)</script>'));
    const { headers, body } = await request(await addressOf('page.html'), {
      headers: { origin: 'https://dashboard.test' },
    });
    expect(await body.text()).toContain('<script>');
    expect(headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
      'access-control-allow-origin': 'https://dashboard.test',
    });
    const other = await request(await addressOf('page.html'), { headers: { origin: 'https://other.test' } });
    await other.body.dump();
    expect(other.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('continues a download only of the same file', async () => {
    await storage.put('part', sourceOfBytes('0123456789'));
    const url = await addressOf('part');
    const first = await request(url, { headers: { range: 'bytes=0-3' } });
    expect([first.statusCode, first.headers['content-range'], await first.body.text()]).toEqual([
      206,
      'bytes 0-3/10',
      '0123',
    ]);
    const condition = { range: 'bytes=4-', 'if-range': String(first.headers.etag) };
    const rest = await request(url, { headers: condition });
    expect([rest.statusCode, await rest.body.text()]).toEqual([206, '456789']);
    await storage.put('part', sourceOfBytes('abcdefghij'));
    const changed = await request(url, { headers: condition });
    expect([changed.statusCode, await changed.body.text()]).toEqual([200, 'abcdefghij']);
  });

  it('returns the last bytes, and no content to a client that has the file', async () => {
    await storage.put('tail', sourceOfBytes('0123456789'));
    const url = await addressOf('tail');
    const last = await request(url, { headers: { range: 'bytes=-3' } });
    expect([last.statusCode, await last.body.text()]).toEqual([206, '789']);
    const same = await request(url, { headers: { 'if-none-match': String(last.headers.etag) } });
    expect([same.statusCode, await same.body.text()]).toEqual([304, '']);
    const beyond = await request(url, { headers: { range: 'bytes=10-' } });
    await beyond.body.dump();
    expect([beyond.statusCode, beyond.headers['content-range']]).toEqual([416, 'bytes */10']);
  });

  it('refuses requests without a valid signature', async () => {
    await storage.put('a', sourceOfBytes('x'));
    const url = await addressOf('a');
    const status = async (address: string, method: 'GET' | 'DELETE' | 'PUT' = 'GET'): Promise<number> => {
      const { statusCode, body } = await request(address, { method });
      await body.dump();
      return statusCode;
    };
    expect(await status(`${started.served.url}/a`)).toBe(403);
    expect(await status(url.replace('/a?', '/b?'))).toBe(403);
    expect(await status(url.replace(/expires=\d/, 'expires=9'))).toBe(403);
    expect(await status(url, 'DELETE')).toBe(405);
    expect(await status(url.replace('method=GET', 'method=DELETE'), 'DELETE')).toBe(403);
    expect(await status(`${started.served.url}/%ff?method=GET&expires=1&signature=x`)).toBe(400);
    expect(await status(url)).toBe(200);
  });

  it('serves nothing outside of its folder, whatever is signed', async () => {
    await symlink('/etc/passwd', join(started.folder, 'link'));
    const { statusCode, body } = await request(await addressOf('link'));
    expect([statusCode, await body.text()]).toEqual([
      404,
      '"link" could not be read: there is no such file\n',
    ]);
  });

  it('refuses an upload before it is sent if its length or its digest is not the signed one', async () => {
    const content = sourceOfBytes('content');
    const url = await addressOf('new', 'PUT', { sizeBytes: content.sizeBytes, sha256: content.sha256 });
    const put = async (headers: Record<string, string>): Promise<[number, boolean]> => {
      let isContinued = false;
      const status = await new Promise<number>((resolve, reject) => {
        const upload = httpRequest(url, { method: 'PUT', headers: { ...headers, expect: '100-continue' } });
        upload.on('continue', () => {
          isContinued = true;
          upload.end('content');
        });
        upload.on('response', (response) => {
          response.resume();
          upload.destroy();
          resolve(response.statusCode ?? 0);
        });
        upload.on('error', reject);
        upload.flushHeaders();
      });
      return [status, isContinued];
    };
    expect(await put({ 'content-length': '8' })).toEqual([400, false]);
    const other = createHash('sha256').update('other').digest('base64');
    expect(await put({ 'content-length': '7', 'repr-digest': `sha-256=:${other}:` })).toEqual([400, false]);
    expect(await put({ 'content-length': '7', digest: `sha-256=${other}` })).toEqual([400, false]);
    expect(await put({ 'transfer-encoding': 'chunked' })).toEqual([411, false]);
    expect(await storage.head('new')).toBeNull();
    expect(await put({ 'content-length': '7' })).toEqual([201, true]);
    expect(await storage.head('new')).toMatchObject({ sizeBytes: 7 });
  });

  it('refuses files that are too large, and those for which the disk has no space', async () => {
    const upload = async (to: Started): Promise<unknown> =>
      to.storage
        .put('large', {
          sizeBytes: 20_000_000,
          sha256: '0'.repeat(64),
          open: () => createReadStream('/dev/zero'),
        })
        .catch((error: unknown) => error);
    expect(await upload(started)).toMatchObject({
      kind: 'TOO_LARGE',
      message: expect.stringContaining('at most 10000000'),
    });
    const full = await start({ reserveBytes: Number.MAX_SAFE_INTEGER });
    expect(await upload(full)).toMatchObject({
      kind: 'FULL',
      message: expect.stringContaining('No space is left'),
    });
    await full.close();
  });

  it('removes what a killed service left, also while it runs', async () => {
    const running = await start({ abandonedEveryMs: 10 });
    await running.storage.put('kept', sourceOfBytes('content'));
    const partial = join(running.folder, '.rhizome-partial', 'left');
    await writeFile(partial, 'half');
    const twoDaysAgo = new Date(Date.now() - 2 * 86_400_000);
    await utimes(partial, twoDaysAgo, twoDaysAgo);
    await waitFor(
      'the partial file to be removed',
      async () => {
        const names = await readdir(join(running.folder, '.rhizome-partial'));
        return names.length === 0;
      },
      { deadlineMs: 10_000 },
    );
    await running.close();
  });

  it('keeps nothing of an upload whose client breaks the connection', async () => {
    const { hostname, port, pathname, search } = new URL(
      await addressOf('broken', 'PUT', { sizeBytes: 1_000_000 }),
    );
    const socket = connect(Number(port), hostname);
    socket.write(
      `PUT ${pathname}${search} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n${'x'.repeat(500_000)}`,
    );
    await waitFor('a partial file', async () => (await partials()).length === 1, { deadlineMs: 5000 });
    socket.destroy();
    await waitFor('no partial file', async () => (await partials()).length === 0, { deadlineMs: 5000 });
    expect(await storage.head('broken')).toBeNull();
  });

  it('logs requests without their signatures, and counts them', async () => {
    await storage.put('logged', sourceOfBytes('x'));
    await waitFor('a line', () => started.lines.some((line) => line.includes('/logged')), {
      deadlineMs: 5000,
    });
    const line = JSON.parse(started.lines.find((text) => text.includes('/logged')) ?? '{}') as object;
    expect(line).toMatchObject({ method: 'PUT', path: '/logged', status: 201, msg: 'request answered' });
    expect(started.lines.join('')).not.toContain('signature=');
    const { body } = await request(`${started.served.url}/metrics`);
    expect(await body.text()).toMatch(/rhizome_storage_requests_total\{method="PUT",status="201"\} \d/);
  });

  it('refuses a path that is no URL like other bad requests', async () => {
    const { hostname, port } = new URL(started.served.url);
    const status = await new Promise((resolve, reject) => {
      const sent = httpRequest({ hostname, port, path: '//?signature=x' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject).end();
    });
    expect(status).toBe(400);
    const isLine = (text: string): boolean => text.includes('"path":"//"');
    await waitFor('a line', () => started.lines.some(isLine), { deadlineMs: 5000 });
    const line = JSON.parse(started.lines.find(isLine) ?? '{}') as object;
    expect(line).toMatchObject({ method: 'GET', status: 400, msg: 'request answered' });
    expect(started.lines.join('')).not.toContain('request failed');
  });

  it('reports its health', async () => {
    for (const path of ['/healthz', '/readyz']) {
      const { statusCode, body } = await request(`${started.served.url}${path}`);
      await body.dump();
      expect(statusCode).toBe(200);
    }
  });
});

describe('a file service with limits', () => {
  let started: Started | undefined;
  afterEach(async () => started?.close());

  /** An upload that has begun and waits. */
  async function beginUpload(
    { storage, service }: Started,
    name: string,
  ): Promise<ReturnType<typeof httpRequest>> {
    const { url } = await storage.sign(name, { method: 'PUT', expiresAt: inAMinute(), sizeBytes: 4 });
    const upload = httpRequest(url, { method: 'PUT', headers: { 'content-length': '4' } });
    upload.write('ab');
    await waitFor('a running transfer', () => service.running.count === 1, { deadlineMs: 5000 });
    return upload;
  }

  it('refuses more transfers at the same time than its limit', async () => {
    started = await start({ transfers: 1 });
    const upload = await beginUpload(started, 'slow');
    await expect(started.storage.head('slow')).rejects.toMatchObject({ kind: 'SLOW' });
    const answered = new Promise((resolve) =>
      upload.on('response', (response) => resolve(response.statusCode)),
    );
    upload.end('cd');
    expect(await answered).toBe(201);
  });

  it('ends running transfers before it closes, and accepts no others', async () => {
    started = await start();
    const upload = await beginUpload(started, 'last');
    const answered = new Promise((resolve) =>
      upload.on('response', (response) => resolve(response.statusCode)),
    );
    const closed = started.served.close();
    await expect(started.storage.head('last')).rejects.toMatchObject({ kind: 'SLOW' });
    upload.end('cd');
    expect(await answered).toBe(201);
    await closed;
    expect(await readFile(join(started.folder, 'last'), 'utf8')).toBe('abcd');
  });

  it('delays what exceeds its bytes a second', async () => {
    started = await start({ bytesPerSecond: 10_000_000 });
    const begin = performance.now();
    await started.storage.put('slow', sourceOfBytes(Buffer.alloc(2_000_000)));
    expect(performance.now() - begin).toBeGreaterThan(100);
  });

  it('serves metrics to those with the token', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'file-service-')), 'token');
    await writeFile(file, 'secret\n');
    started = await start({ metricsTokenFile: file });
    const status = async (token: string): Promise<number> => {
      const headers = { authorization: `Bearer ${token}` };
      const { statusCode, body } = await request(`${started?.served.url}/metrics`, { headers });
      await body.dump();
      return statusCode;
    };
    expect([await status('other'), await status('secret')]).toEqual([401, 200]);
  });
});

describe('rhizome-storage', () => {
  it('makes its folder and its key, serves, and drains on SIGTERM', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'file-service-'));
    const program = spawnProcess({
      name: 'rhizome-storage',
      command: 'node',
      args: [new URL('../bin/rhizome-storage.mjs', import.meta.url).pathname],
      env: {
        RHIZOME_STORAGE_FOLDER: join(folder, 'files'),
        RHIZOME_STORAGE_KEY_FILE: join(folder, 'keys'),
        RHIZOME_STORAGE_PORT: '0',
      },
    });
    const [, address = ''] = await program.line(/^rhizome-storage: (http\S+)/, 60_000);
    const keys = [Buffer.from(await readFile(join(folder, 'keys'), 'utf8'), 'base64')];
    const storage = openStorage({ provider: 'FOLDER', address }, { kind: 'SIGNING_KEYS', keys });
    await storage.put('a/b', sourceOfBytes('content'));
    expect(await readFile(join(folder, 'files', 'a', 'b'), 'utf8')).toBe('content');
    expect(await program.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    await expect(storage.head('a/b')).rejects.toMatchObject({ kind: 'SLOW' });
    await rm(folder, { recursive: true });
  });

  it('names each setting that is wrong', async () => {
    const program = spawnProcess({
      name: 'rhizome-storage',
      command: 'node',
      args: [new URL('../bin/rhizome-storage.mjs', import.meta.url).pathname],
      env: { RHIZOME_STORAGE_HOST: '0.0.0.0', RHIZOME_STORAGE_TRANSFERS: '0' },
    });
    expect(await program.exited).toEqual({ code: 1, signal: null });
    const text = program.stderr.join('\n');
    for (const part of [
      'RHIZOME_STORAGE_FOLDER is not set',
      'RHIZOME_STORAGE_TRANSFERS',
      'RHIZOME_STORAGE_KEY_FILE',
    ])
      expect(text).toContain(part);
  });
});
