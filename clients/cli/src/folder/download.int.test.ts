/** Downloads from a server that breaks off, refuses or serves other content. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { download, type FileToFetch, NotWritten } from './download.js';

const content = Buffer.alloc(3_000_000, 'content ');
const file: FileToFetch = {
  ...{ path: 'hist.root', sizeBytes: content.length },
  sha256: createHash('sha256').update(content).digest('hex'),
};
let folder: string;
let server: Server;
let origin: string;
/** Answers of the server instead of the file, once each. */
let faults: ('break' | 'trickle' | 'other' | number)[];
let requests: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fetch-'));
  [faults, requests] = [[], []];
  server = createServer((request, response) => {
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    requests.push(`${request.url}${start > 0 ? ' rest' : ''}`);
    const fault = faults.shift();
    if (typeof fault === 'number') return void response.writeHead(fault).end();
    const body = fault === 'other' ? Buffer.alloc(content.length, 'x') : content;
    const length = body.length - start;
    const range = { 'content-range': `bytes ${start}-${body.length - 1}/${body.length}` };
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': length, ...(start > 0 && range) });
    if (fault !== 'break' && fault !== 'trickle') return void response.end(body.subarray(start));
    const sent = body.subarray(start, start + (fault === 'break' ? 1_000_000 : 100_000));
    response.write(sent, () => setImmediate(() => response.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

const fetch = (over: Partial<FileToFetch> = {}, isForced = false, signal = new AbortController().signal) =>
  download(
    { ...file, ...over },
    {
      ...{ folder, isForced, signal, pauseMs: 1 },
      address: async (isRefused) => `${origin}/${isRefused ? 'renewed' : 'first'}`,
    },
  );
const fetched = async (path = file.path): Promise<boolean> =>
  (await readFile(join(folder, path))).equals(content);

describe('download', () => {
  it('writes a file under its name when it is complete, and not twice', async () => {
    expect(await fetch()).toBe(true);
    expect(await fetched()).toBe(true);
    expect(await fetch()).toBe(false);
    expect(requests).toEqual(['/first']);
    expect(await readdir(folder)).toEqual([file.path]);
  });

  it('continues a transfer that broke off', async () => {
    faults = ['break', 503, 'break'];
    expect(await fetch()).toBe(true);
    expect(await fetched()).toBe(true);
    expect(requests.slice(1)).toEqual(Array.from({ length: 3 }, () => '/first rest'));
  });

  it('continues a transfer as long as it advances', async () => {
    faults = Array.from({ length: 7 }, () => 'trickle' as const);
    expect(await fetch()).toBe(true);
    expect(await fetched()).toBe(true);
    expect(requests).toHaveLength(8);
  });

  it('leaves the file of another command alone, and takes over that of a command that has ended', async () => {
    const stop = new AbortController();
    faults = ['break', 503];
    const first = download(file, {
      ...{ folder, isForced: false, signal: stop.signal, pauseMs: 60_000 },
      address: async () => origin,
      onBytes: () => setImmediate(() => stop.abort(new Error('Ctrl-C'))),
    });
    await expect(first).rejects.toThrow('Ctrl-C');
    const [left = ''] = await readdir(folder);
    const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
    const ofLive = left.replace(/part$/, `${host}-${process.ppid}.part`);
    await rename(join(folder, left), join(folder, ofLive));
    [faults, requests] = [[], []];
    expect(await fetch()).toBe(true);
    expect(requests).toEqual(['/first']);
    expect((await readdir(folder)).sort()).toEqual([ofLive, file.path]);
    await rm(join(folder, file.path));
    // Larger than any id of a process.
    const ofEnded = left.replace(/part$/, `${host}-${2 ** 30}.part`);
    await rename(join(folder, ofLive), join(folder, ofEnded));
    expect(await fetch()).toBe(true);
    expect(requests.at(-1)).toBe('/first rest');
    expect(await readdir(folder)).toEqual([file.path]);
  });

  it('continues what an interrupted command has left', async () => {
    const stop = new AbortController();
    faults = ['break', 503];
    const first = download(file, {
      ...{ folder, isForced: false, signal: stop.signal, pauseMs: 60_000 },
      address: async () => origin,
      onBytes: () => setImmediate(() => stop.abort(new Error('Ctrl-C'))),
    });
    await expect(first).rejects.toThrow('Ctrl-C');
    expect(await readdir(folder)).toEqual([expect.stringMatching(/^\.hist\.root\.[0-9a-f]{12}\.part$/)]);
    faults = [];
    expect(await fetch()).toBe(true);
    expect(requests.at(-1)).toBe('/first rest');
    expect(await fetched()).toBe(true);
  });

  it('asks for another address once, and reports the second refusal', async () => {
    faults = [403];
    expect(await fetch()).toBe(true);
    expect(requests).toEqual(['/first', '/renewed']);
    await rm(join(folder, file.path));
    faults = [403, 403];
    await expect(fetch()).rejects.toMatchObject({ kind: 'DENIED' });
  });

  it.each([
    ['gone', [404], 'GONE'],
    ['corrupt', ['other', 'other'], 'CORRUPT'],
  ] as const)('reports a file that is %s, and leaves nothing of it', async (_what, given, kind) => {
    faults = [...given];
    await expect(fetch()).rejects.toMatchObject({ kind });
    expect(await readdir(folder)).toEqual([]);
  });

  it('fetches all of a file again whose content was wrong', async () => {
    faults = ['other'];
    expect(await fetch()).toBe(true);
    expect(await fetched()).toBe(true);
  });

  it('keeps a file of the user, unless it is forced', async () => {
    await writeFile(join(folder, file.path), 'of the user');
    await expect(fetch()).rejects.toThrow('another file with this name exists; --force replaces it');
    expect(requests).toEqual([]);
    expect(await fetch({}, true)).toBe(true);
    expect(await fetched()).toBe(true);
  });

  it.each(['../evil', '/etc/evil', 'a/../../evil', 'a\0b', '..', 'a//b'])(
    'writes nothing for the name %j',
    async (path) => {
      await expect(fetch({ path })).rejects.toBeInstanceOf(NotWritten);
      expect(await readdir(folder)).toEqual([]);
      expect(requests).toEqual([]);
    },
  );

  it('follows no link in the folder', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'outside-'));
    await symlink(outside, join(folder, 'link'));
    await expect(fetch({ path: 'link/hist' })).rejects.toBeInstanceOf(NotWritten);
    await symlink(join(outside, 'hist'), join(folder, file.path));
    await expect(fetch()).rejects.toBeInstanceOf(NotWritten);
    expect(await fetch({}, true)).toBe(true);
    expect(await readdir(outside)).toEqual([]);
    await rm(outside, { recursive: true });
  });

  it('makes folders that names have, and keeps folders that are there', async () => {
    expect(await fetch({ path: '12/plots/hist' })).toBe(true);
    expect(await fetched('12/plots/hist')).toBe(true);
    await mkdir(join(folder, 'taken'));
    await expect(fetch({ path: 'taken' }, true)).rejects.toThrow('a folder with this name exists');
  });
});
