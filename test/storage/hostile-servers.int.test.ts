/** Storages whose servers lie, wait, refuse, or send them elsewhere. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openStorage, readSigned, sourceOfBytes, type StorageProvider, writeSigned } from '@rhizome/storage';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let url: string;
let answer: Answer;
let requests: { readonly line: string }[];

beforeEach(async () => {
  requests = [];
  server = createServer((request, response) => {
    requests.push({ line: `${request.method} ${request.url}` });
    request.on('error', () => undefined);
    answer(request, response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

const address = (path = '/a'): Parameters<typeof readSigned>[0] => ({
  method: 'GET',
  url: `${url}${path}?signature=secret`,
  headers: {},
  expiresAt: new Date(),
});
const read = async (expected?: ReturnType<typeof sourceOfBytes>): Promise<string> =>
  text((await readSigned(address(), {}, expected)).body);
const webdav = (more: object = {}): StorageProvider =>
  openStorage({ provider: 'WEBDAV', address: `${url}/data`, ...more }, undefined);

describe('a download', () => {
  const content = sourceOfBytes('the content');

  it('fails if the server sends other content than was stored', async () => {
    answer = (_request, response) => response.end('The Content');
    await expect(read(content)).rejects.toMatchObject({ kind: 'CORRUPT', mayHelpElsewhere: true });
  });

  it('fails if the server sends less than it says', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('the content', () => response.destroy());
    };
    await expect(read(content)).rejects.toMatchObject({ kind: 'SLOW' });
  });

  it('fails as soon as the server sends more than was stored', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': 1_000_000_000_000 });
      Readable.from(endless())
        .on('error', () => undefined)
        .pipe(response);
    };
    await expect(read(content)).rejects.toMatchObject({ kind: 'CORRUPT' });
  });

  it('ends with its signal while the server sends nothing', async () => {
    const controller = new AbortController();
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': 10 });
      response.write('part', () => controller.abort(new Error('enough')));
    };
    const reading = readSigned(address(), { signal: controller.signal }).then(({ body }) => text(body));
    await expect(reading).rejects.toThrow('enough');
  });

  it.each([
    [404, 'GONE', true],
    [403, 'DENIED', false],
    [429, 'SLOW', true],
    [503, 'SLOW', true],
    [400, 'INVALID', false],
  ])('reports status %d as %s, without the signature', async (status, kind, mayHelpElsewhere) => {
    answer = (_request, response) => response.writeHead(status).end('<p>Because</p>');
    const error: unknown = await read().catch((caught: unknown) => caught);
    expect(error).toMatchObject({ kind, mayHelpElsewhere, message: expect.stringContaining('Because') });
    expect(String(error)).not.toContain('secret');
  });
});

describe('an upload', () => {
  it('ends when the server refuses it, and does not send the rest', async () => {
    let received = 0;
    answer = (request, response) => {
      request.on('data', (piece: Buffer) => (received += piece.length));
      response.writeHead(507).end('full');
    };
    const source = {
      sizeBytes: 1_000_000_000_000,
      sha256: '0'.repeat(64),
      open: () => Readable.from(endless()),
    };
    const upload = writeSigned({ ...address(), method: 'PUT' }, source);
    await expect(upload).rejects.toMatchObject({ kind: 'FULL', mayHelpElsewhere: true });
    expect(received).toBeLessThan(source.sizeBytes / 1000);
  });
});

describe('a request that is redirected', () => {
  it('follows within the origin', async () => {
    answer = (request, response) => {
      if (request.method === 'OPTIONS') response.end();
      else if (request.url === '/moved') response.writeHead(200, { 'content-length': 2 }).end('ok');
      else response.writeHead(307, { location: '/moved' }).end();
    };
    expect(await text((await webdav().get('a')).body)).toBe('ok');
    expect(requests.map(({ line }) => line)).toEqual(['GET /data/a', 'GET /moved']);
  });

  it.each([
    ['http://169.254.169.254/latest/meta-data', /must be an https address/],
    ['https://169.254.169.254/latest/meta-data', /metadata service/],
    ['https://[fd00:ec2::254]/', /metadata service/],
    ['http://files.test/a', /must be an https address/],
    ['file:///etc/passwd', /must be an https address/],
    ['https://', /must be an https address/],
  ])('refuses to go to %s', async (location, reason) => {
    answer = (request, response) => {
      if (request.method === 'OPTIONS') response.end();
      else response.writeHead(302, { location }).end();
    };
    await expect(webdav().get('a')).rejects.toMatchObject({
      kind: 'INVALID',
      message: expect.stringMatching(reason),
    });
  });

  it('ends after five redirects', async () => {
    answer = (request, response) => {
      if (request.method === 'OPTIONS') response.end();
      else response.writeHead(302, { location: `${request.url}x` }).end();
    };
    await expect(webdav().get('a')).rejects.toMatchObject({
      kind: 'INVALID',
      message: expect.stringContaining('5 times'),
    });
  });
});

describe('a list', () => {
  it.each([
    ['no XML', 'not XML at all'],
    ['a document type', '<!DOCTYPE a [<!ENTITY b "c">]><multistatus xmlns="DAV:">&b;</multistatus>'],
  ])('refuses %s', async (_what, body) => {
    answer = (request, response) => {
      response
        .writeHead(request.method === 'PROPFIND' ? 207 : 200)
        .end(request.method === 'PROPFIND' ? body : '');
    };
    await expect(webdav().list('')).rejects.toMatchObject({ kind: 'INVALID' });
  });
});

describe('a storage by WebDAV', () => {
  it('asks the server for a macaroon of one file', async () => {
    answer = (request, response) => {
      if (request.method === 'POST') response.end('{"macaroon": "abc", "uri": {}}');
      else response.end();
    };
    const expiresAt = new Date(Date.now() + 60_000);
    const signed = await webdav().sign('a b', { method: 'GET', expiresAt });
    expect(signed).toEqual({
      method: 'GET',
      url: `${url}/data/a%20b`,
      headers: { Authorization: 'Bearer abc' },
      expiresAt,
    });
    expect(requests.map(({ line }) => line)).toContain('POST /data/a%20b');
  });

  it('refuses to sign where neither macaroons nor limited tokens are to be had', async () => {
    answer = (_request, response) => response.writeHead(405).end();
    const signing = webdav().sign('a', { method: 'GET', expiresAt: new Date(Date.now() + 60_000) });
    await expect(signing).rejects.toMatchObject({
      kind: 'INVALID',
      message: expect.stringContaining('cannot grant access to one file'),
    });
  });

  it('asks its token service for tokens of one file, and accepts no wider ones', async () => {
    const scopes: string[] = [];
    let widened = '';
    answer = (request, response) => {
      if (request.url !== '/token')
        return void response.writeHead(request.method === 'POST' ? 405 : 200).end();
      void text(request).then((form) => {
        const scope = new URLSearchParams(form).get('scope') ?? '';
        scopes.push(scope);
        response.end(
          JSON.stringify({ access_token: `t${scopes.length}`, expires_in: 30, scope: `${scope}${widened}` }),
        );
      });
    };
    const credential = {
      kind: 'TOKEN_SERVICE',
      tokenUrl: `${url}/token`,
      clientId: 'core',
      clientSecret: 's',
    } as const;
    const storage = openStorage({ provider: 'WEBDAV', address: `${url}/data` }, credential);
    const expiresAt = new Date(Date.now() + 600_000);
    const signed = await storage.sign('a', { method: 'PUT', expiresAt });
    expect(scopes.at(-1)).toBe('storage.create:/data/a');
    expect(signed.headers).toEqual({ Authorization: `Bearer t${scopes.length}` });
    // The token ends before the time that was asked for.
    expect(signed.expiresAt.getTime()).toBeLessThan(expiresAt.getTime());
    widened = ' storage.modify:/';
    await expect(storage.sign('a', { method: 'GET', expiresAt })).rejects.toMatchObject({ kind: 'DENIED' });
    await storage.close();
  });
});

async function* endless(): AsyncGenerator<Buffer> {
  for (;;) yield Buffer.alloc(65_536);
}
