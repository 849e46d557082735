/** For tests: a storage on a folder, behind a server that checks the signatures of its addresses. */
import { afterEach, beforeEach } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStorage, sourceOfBytes, type StorageProvider, verifyRequest } from '@rhizome/storage';
import type { Digest } from '../files/checksum.js';
import type { FileAddress, SignedRead, SignFiles } from '../files/signed-files.types.js';

const key = Buffer.alloc(32, 7);

/** Fault of the server instead of an answer, once each. */
export type Fault = number | 'break' | 'no ranges' | 'other range' | 'wrong content' | 'redirect';

/** Size and checksum of content. */
export function digestOf(content: Buffer): Digest {
  return { sizeBytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}

/** The storage of the current test; a new one for each test of the file. */
export class SignedStorage {
  /** For files of the test. */
  folder = '';
  faults: Fault[] = [];
  requests: string[] = [];
  /** Number of calls for addresses. */
  calls = 0;
  /** Seconds for which the next addresses are valid. */
  validSeconds: number[] = [];
  /** Names of the files of each call. */
  signedNames: string[][] = [];
  /** Difference between the clocks of core and this host, in seconds. */
  clockSeconds = 0;
  #server: Server | undefined;
  #storage: StorageProvider | undefined;

  constructor() {
    beforeEach(async () => this.#open());
    afterEach(async () => this.#close());
  }

  async put(name: string, content: Buffer): Promise<void> {
    await this.#provider.put(name, sourceOfBytes(content));
  }

  async read(name: string): Promise<Buffer> {
    return readFile(join(this.folder, 'storage', name));
  }

  /**
   * Core: all inputs of a job are in the folder `in`, their other places with a number at the end, and its
   * outputs go to the folder `out`.
   */
  readonly sign: SignFiles = async ({ reads, writes }) => {
    this.calls += 1;
    this.signedNames.push([...reads, ...writes].map(({ name }) => name));
    const validMs = (this.validSeconds.shift() ?? 600) * 1000;
    const validUntilMs = performance.now() + validMs;
    const expiresAt = new Date(Date.now() + validMs);
    const shown = new Date(expiresAt.getTime() + this.clockSeconds * 1000);
    const addressOf = async (
      { name, jobId = null, source = 0 }: Partial<SignedRead> & Pick<SignedRead, 'name'>,
      method: 'GET' | 'PUT',
      digest: Partial<Digest> = {},
    ): Promise<FileAddress> => {
      const place = method === 'GET' ? `in/${name}${source > 0 ? `.${source}` : ''}` : `out/${name}`;
      const signed = await this.#provider.sign(place, { method, expiresAt, ...digest });
      const location = `rhizome://site/${place}`;
      return { ...signed, name, jobId, location, expiresAt: shown, validUntilMs };
    };
    return Promise.all([
      ...reads.map(async (read) => addressOf(read, 'GET')),
      ...writes.map(async ({ name, ...digest }) => addressOf({ name }, 'PUT', digest)),
    ]);
  };

  get #provider(): StorageProvider {
    if (!this.#storage) throw new Error('no test runs');
    return this.#storage;
  }

  async #open(): Promise<void> {
    this.folder = await mkdtemp(join(tmpdir(), 'signed-'));
    await mkdir(join(this.folder, 'storage'));
    [this.faults, this.requests, this.calls, this.validSeconds] = [[], [], 0, []];
    [this.signedNames, this.clockSeconds] = [[], 0];
    const server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const folder = join(this.folder, 'storage');
    const keys = { kind: 'SIGNING_KEYS' as const, keys: [key] };
    this.#storage = openStorage({ provider: 'FOLDER', address, folder }, keys);
  }

  async #close(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
    await this.#storage?.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://server');
    const name = decodeURIComponent(url.pathname.slice(1));
    const [, start] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
    this.requests.push(`${request.method} ${name}${start === undefined ? '' : ` from ${start}`}`);
    const fault = this.faults.shift();
    const status = typeof fault === 'number' ? fault : isSigned(name, url) ? undefined : 403;
    if (fault === 'redirect') {
      request.resume();
      response.writeHead(307, { location: request.url }).end();
    } else if (status !== undefined) {
      request.resume();
      response.writeHead(status).end();
    } else if (request.method === 'PUT') await this.#store(name, request, response, fault);
    else
      await this.#serve(name, { start, version: request.headers['if-range']?.toString() }, response, fault);
  }

  async #store(
    name: string,
    request: IncomingMessage,
    response: ServerResponse,
    fault: Fault | undefined,
  ): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) {
      pieces.push(piece as Buffer);
      if (fault === 'break') return void request.destroy();
    }
    await this.put(name, Buffer.concat(pieces));
    response.writeHead(201).end();
  }

  async #serve(
    name: string,
    range: { readonly start: string | undefined; readonly version: string | undefined },
    response: ServerResponse,
    fault: Fault | undefined,
  ): Promise<void> {
    const whole = await this.read(name).catch(() => undefined);
    if (!whole) return void response.writeHead(404).end();
    const etag = `"${digestOf(whole).sha256}"`;
    const isWhole = fault === 'no ranges' || fault === 'other range' || (range.version ?? etag) !== etag;
    const start = isWhole ? 0 : Number(range.start ?? 0);
    const sent = fault === 'wrong content' ? Buffer.alloc(whole.length - start, 'x') : whole.subarray(start);
    const isPart = start > 0 || fault === 'other range';
    response.writeHead(isPart ? 206 : 200, {
      etag,
      'content-length': sent.length,
      ...(isPart && { 'content-range': `bytes ${start}-${whole.length - 1}/${whole.length}` }),
    });
    if (fault !== 'break') return void response.end(sent);
    await new Promise((resolve) => response.write(sent.subarray(0, 1_000_000), resolve));
    setImmediate(() => response.destroy());
  }
}

function isSigned(name: string, url: URL): boolean {
  try {
    verifyRequest(name, url.searchParams, { keys: [key], now: new Date() });
    return true;
  } catch {
    return false;
  }
}
