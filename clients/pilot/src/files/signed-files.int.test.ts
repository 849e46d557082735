/** Files in storages, by signed addresses, over HTTP: a server with a folder that checks the signatures. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStorage, type StorageProvider, verifyRequest } from '@rhizome/storage';
import { AttemptError } from '../payload/attempt-error.js';
import { CoreRefused } from '../protocol/core-protocol.js';
import { OutputFolder } from './output-folder.js';
import { SignedFiles } from './signed-files.js';
import type { FileAddress, SignFiles } from './signed-files.types.js';

const open = new AbortController().signal;
const key = Buffer.alloc(32, 7);
/** Large enough that a connection breaks in the middle of it. */
const content = Buffer.alloc(3_000_000, 'larkspur ');
const sha256Of = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/** Fault of the server instead of an answer, once each. */
type Fault = number | 'break' | 'no ranges' | 'wrong content';

let folder: string;
let server: Server;
let storage: StorageProvider;
let faults: Fault[];
let requests: string[];
let calls: number;
/** Seconds for which the next addresses are valid. */
let validSeconds: number[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'signed-'));
  await mkdir(join(folder, 'storage'));
  [faults, requests, calls, validSeconds] = [[], [], 0, []];
  server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  storage = openStorage(
    { provider: 'FOLDER', address, folder: join(folder, 'storage') },
    { kind: 'SIGNING_KEYS', keys: [key] },
  );
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await storage.close();
  await rm(folder, { recursive: true, force: true });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', 'http://server');
  const name = decodeURIComponent(url.pathname.slice(1));
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  requests.push(`${request.method} ${name}${range ? ` from ${range[1]}` : ''}`);
  const fault = faults.shift();
  const refuse = (status: number): void => {
    request.resume();
    response.writeHead(status).end();
  };
  if (typeof fault === 'number') return refuse(fault);
  try {
    verifyRequest(name, url.searchParams, { keys: [key], now: new Date() });
  } catch {
    return refuse(403);
  }
  if (request.method === 'PUT') {
    const pieces: Buffer[] = [];
    for await (const piece of request) {
      pieces.push(piece as Buffer);
      if (fault === 'break') return void request.destroy();
    }
    const body = Buffer.concat(pieces);
    await storage.put(name, { ...digestOf(body), open: () => streamOf(body) });
    return void response.writeHead(201).end();
  }
  const bytes = await readStored(name).catch(() => undefined);
  if (!bytes) return refuse(404);
  if (fault === 'no ranges' || !range) response.writeHead(200, { 'content-length': bytes.length });
  else {
    const start = Number(range[1]);
    response.writeHead(206, {
      'content-length': bytes.length - start,
      'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
    });
  }
  const sent = range && fault !== 'no ranges' ? bytes.subarray(Number(range[1])) : bytes;
  if (fault === 'wrong content') return void response.end(Buffer.alloc(sent.length, 'x'));
  if (fault !== 'break') return void response.end(sent);
  await new Promise((resolve) => response.write(sent.subarray(0, 1_000_000), resolve));
  setImmediate(() => response.destroy());
}

const digestOf = (bytes: Buffer) => ({ sizeBytes: bytes.length, sha256: sha256Of(bytes) });
const streamOf = (bytes: Buffer) => Object.assign(new Blob([new Uint8Array(bytes)]).stream() as never);

async function readStored(name: string): Promise<Buffer> {
  return readFile(join(folder, 'storage', name));
}

/** Core: all inputs of a job are in its folder `in`, and its outputs go to the folder `out`. */
const sign: SignFiles = async ({ reads, writes }) => {
  calls += 1;
  const expiresAt = new Date(Date.now() + (validSeconds.shift() ?? 600) * 1000);
  const addressOf = async (
    file: { name: string; jobId?: string | null },
    method: 'GET' | 'PUT',
    digest: { sizeBytes?: number; sha256?: string } = {},
  ): Promise<FileAddress> => {
    const { name, jobId = null } = file;
    const place = method === 'GET' ? `in/${name}` : `out/${name}`;
    const signed = await storage.sign(place, { method, expiresAt, ...digest });
    return { ...signed, name, jobId, location: `rhizome://site/${place}` };
  };
  return Promise.all([
    ...reads.map((read) => addressOf(read, 'GET')),
    ...writes.map(({ name, ...digest }) => addressOf({ name }, 'PUT', digest)),
  ]);
};

const files = new SignedFiles(sign, 5);

describe('SignedReader', () => {
  const target = (): string => join(folder, 'fetched');
  const fetch = (expected = digestOf(content), by: SignFiles = sign): Promise<void> => {
    const read = { name: 'data', jobId: null };
    return new SignedFiles(by, 5).reader([read]).fetch(read, target(), open, expected);
  };
  const failure = async (fetching: Promise<void>): Promise<AttemptError> => {
    const error = await fetching.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(AttemptError);
    expect(await readdir(folder)).not.toContain('fetched');
    return error as AttemptError;
  };
  beforeEach(async () => {
    await storage.put('in/data', { ...digestOf(content), open: () => streamOf(content) });
  });

  it('continues a transfer that broke off at the first missing byte', async () => {
    faults = ['break', 503, 'break'];
    await fetch();
    expect((await readFile(target())).equals(content)).toBe(true);
    expect(requests[0]).toBe('GET in/data');
    expect(requests).toHaveLength(4);
    for (const request of requests.slice(1)) expect(request).toMatch(/^GET in\/data from [1-9]\d+$/);
    expect(calls).toBe(1);
  });

  it('begins again where the storage does not serve the rest', async () => {
    faults = ['break', 'no ranges'];
    await fetch();
    expect((await readFile(target())).equals(content)).toBe(true);
    expect(requests).toHaveLength(3);
    expect(requests.at(-1)).toBe('GET in/data');
  });

  it('asks for another address when one has expired, and before it does', async () => {
    validSeconds = [-5, 600];
    await fetch();
    expect({ calls, requests: requests.length }).toEqual({ calls: 2, requests: 2 });
    const reads = ['a', 'b'].map((name) => ({ name, jobId: null }));
    for (const { name } of reads)
      await storage.put(`in/${name}`, { ...digestOf(content), open: () => streamOf(content) });
    validSeconds = [10];
    const reader = files.reader(reads);
    for (const read of reads) await reader.fetch(read, target(), open, undefined);
    expect(calls).toBe(4);
  });

  it('repeats a transfer with wrong content once, and then gives it up', async () => {
    faults = ['wrong content'];
    await fetch();
    faults = ['wrong content', 'wrong content'];
    expect(await failure(fetch())).toMatchObject({ code: 'INPUT_CORRUPT', family: 'DATA', retryable: true });
    expect(requests).toHaveLength(4);
  });

  it('refuses a file of another size before it is transferred', async () => {
    const error = await failure(fetch({ ...digestOf(content), sizeBytes: 7 }));
    expect(error).toMatchObject({ code: 'INPUT_CORRUPT', message: expect.stringContaining('instead of 7') });
  });

  it.each<[string, readonly Fault[], string, boolean]>([
    ['is not there', [404], 'INPUT_GONE', false],
    ['is refused with new addresses, too', [403, 403], 'INPUT_DENIED', false],
    ['is on a server with faults', [503, 503, 503, 503, 503, 503], 'INPUT_UNREACHABLE', true],
  ])('fails with a code of its own if a file %s', async (_, given, code, retryable) => {
    faults = [...given];
    expect(await failure(fetch())).toMatchObject({ family: 'DATA', code, retryable });
    expect(requests).toHaveLength(given.length);
  });

  it.each([
    ['FILE_NOT_FOUND', 'INPUT_GONE', false],
    ['FILE_FORBIDDEN', 'INPUT_DENIED', false],
    ['STORAGE_UNAVAILABLE', 'INPUT_UNREACHABLE', true],
    ['INVALID_VALUE', 'INPUT_UNAVAILABLE', true],
  ])('reports the refusal %s of core as %s', async (refusal, code, retryable) => {
    const refusing: SignFiles = async () => Promise.reject(new CoreRefused(refusal, 'not this one'));
    const error = await failure(fetch(digestOf(content), refusing));
    expect(error).toMatchObject({ code, retryable, message: expect.stringContaining('not this one') });
  });

  it('names no signature in an error', async () => {
    faults = [404];
    const { message } = await failure(fetch());
    expect(message).not.toContain('signature');
  });
});

describe('SignedFiles.store', () => {
  let outputs: OutputFolder;
  beforeEach(async () => {
    const path = await mkdtemp(join(folder, 'outputs-'));
    await writeFile(join(path, 'hist.root'), content);
    outputs = await OutputFolder.open(path);
  });
  afterEach(() => outputs.close());
  const found = async () => {
    const output = await outputs.find('hist.root', open);
    if (!('sha256' in output)) throw new Error('not found');
    return [output];
  };

  it('stores outputs whole after faults that pass, and returns their locations', async () => {
    faults = ['break', 503];
    const stored = await files.store(await found(), outputs, open);
    expect(stored).toEqual([
      { name: 'hist.root', location: 'rhizome://site/out/hist.root', ...digestOf(content) },
    ]);
    expect((await readStored('out/hist.root')).equals(content)).toBe(true);
    expect(requests).toHaveLength(3);
  });

  it('returns nothing where core has no storage for them', async () => {
    const none = new SignedFiles(async () => Promise.reject(new CoreRefused('STORAGE_NOT_FOUND', 'none')));
    expect(await none.store(await found(), outputs, open)).toBeUndefined();
  });

  it.each<[readonly Fault[], string]>([
    [[403, 403], 'OUTPUT_DENIED'],
    [[507], 'OUTPUT_STORAGE_FULL'],
    [[503, 503, 503, 503, 503, 503], 'OUTPUT_NOT_STORED'],
  ])('fails after %j with %s', async (given, code) => {
    faults = [...given];
    await expect(files.store(await found(), outputs, open)).rejects.toMatchObject({
      ...{ family: 'DATA', code, retryable: true },
    });
  });
});
