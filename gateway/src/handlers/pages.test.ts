import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { builtPages } from '../app.js';
import { type TestSystem, startTestSystem } from '../testing/test-system.js';
import { send } from '../testing/post.js';

let system: TestSystem;
const at = (path: string): string => system.served.origin + path;

beforeAll(async () => {
  system = await startTestSystem({ staticRoot: builtPages });
});

afterAll(() => system.served.close());

describe('GraphiQL', () => {
  it('is a page for everybody that loads from its own host only', async () => {
    const page = await send(at('/graphiql'));
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const policy = page.headers.get('content-security-policy')?.split('; ') ?? [];
    const host = `127.0.0.1:${system.served.port}`;
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain(`connect-src 'self' ws://${host} wss://${host}`);
    for (const rule of policy) expect(rule.replaceAll(`//${host}`, '')).not.toMatch(/\/\/|\*/);
    expect(page.text).not.toMatch(/https?:\/\//);
  });

  it('has the same policy under the name of its file', async () => {
    const page = await send(at('/graphiql/index.html'));
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
  });

  it.each(['/graphiql/%69%6e%64%65%78.html', '/graphiql//index.html', '/graphiql/./index%2E%68%74%6d%6c'])(
    'is at no other address without its policy: %s',
    async (path) => {
      const { status, headers } = await send(at(path));
      if (status === 200) expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      else expect(status).toBe(404);
    },
  );

  it('cannot be framed, nor reach or be reached by pages of other origins', async () => {
    const { headers } = await send(at('/graphiql'));
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-frame-options': 'DENY',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'permissions-policy': expect.stringContaining('camera=()'),
    });
  });

  it('redirects from the root path', async () => {
    const { status, headers } = await send(at('/'));
    expect([status, headers.get('location')]).toEqual([302, '/graphiql']);
  });

  it('serves every file that it names, with the right type', async () => {
    const { text } = await send(at('/graphiql'));
    const named = [...text.matchAll(/(?:src|href)="(\/graphiql\/[^"]+)"/g)].map(([, path]) => path as string);
    expect(named).toHaveLength(3);
    const workers = ['json', 'editor', 'graphql'].map((name) => `/graphiql/workers/${name}.worker.js`);
    for (const path of [...named, ...workers]) {
      const { status, headers } = await send(at(path));
      const type = path.endsWith('.css') ? 'text/css; charset=utf-8' : 'text/javascript; charset=utf-8';
      expect([path, status, headers.get('content-type')]).toEqual([path, 200, type]);
    }
  });

  it('has no script that imports from elsewhere', () => {
    const folder = join(builtPages, 'graphiql');
    const scripts = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.(js|css)$/.test(name),
    );
    expect(scripts.length).toBeGreaterThan(5);
    for (const name of scripts) {
      const text = readFileSync(join(folder, name), 'utf8');
      const loads =
        /(?:\bimport|\bfrom|importScripts|new Worker|@import)\s*\(?\s*["'](?:url\()?(?:https?:)?\/\//;
      expect([name, loads.exec(text)?.[0]]).toEqual([name, undefined]);
      expect([name, /url\(["']?(?:https?:)?\/\/[^)]*/.exec(text)?.[0]]).toEqual([name, undefined]);
    }
  });
});

describe('a built file', () => {
  it('is cached for a period that depends on the name, and not sent again unchanged', async () => {
    const script = /src="([^"]+)"/.exec((await send(at('/graphiql'))).text)?.[1] ?? '';
    const { headers } = await send(at(script));
    expect(headers.get('cache-control')).toContain('immutable');
    const etag = headers.get('etag') ?? '';
    expect((await send(at(script), { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await send(at('/graphiql/main.css'))).headers.get('cache-control')).toBe('no-cache');
  });

  /** Gets a file as it is sent: undici's fetch would decode it. */
  const raw = (path: string, headers: Record<string, string>, method = 'GET') =>
    new Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }>((resolve, reject) => {
      httpRequest({ port: system.served.port, path, headers, method }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          resolve({ status, headers, body: Buffer.concat(chunks) });
        });
      })
        .on('error', reject)
        .end();
    });

  it('is sent compressed to clients that accept it, each form with its own etag', async () => {
    const path = '/graphiql/workers/graphql.worker.js';
    const plain = await raw(path, {});
    const gzip = await raw(path, { 'accept-encoding': 'gzip, deflate' });
    const brotli = await raw(path, { 'accept-encoding': 'gzip, deflate, br, zstd' });
    expect([plain, gzip, brotli].map(({ headers }) => headers['content-encoding'])).toEqual([
      undefined,
      'gzip',
      'br',
    ]);
    expect(gunzipSync(gzip.body).equals(plain.body)).toBe(true);
    expect(brotliDecompressSync(brotli.body).equals(plain.body)).toBe(true);
    expect(brotli.body.length).toBeLessThan(gzip.body.length);
    expect(gzip.body.length).toBeLessThan(plain.body.length / 2);
    for (const { headers, body } of [plain, gzip, brotli]) {
      expect(headers).toMatchObject({ vary: 'accept-encoding', 'content-length': String(body.length) });
      expect(headers['content-type']).toBe('text/javascript; charset=utf-8');
    }
    expect(new Set([plain, gzip, brotli].map(({ headers }) => headers.etag)).size).toBe(3);
    const etag = brotli.headers.etag ?? '';
    expect((await raw(path, { 'accept-encoding': 'br', 'if-none-match': etag })).status).toBe(304);
    const head = await raw(path, { 'accept-encoding': 'br' }, 'HEAD');
    expect([head.headers['content-length'], head.body.length]).toEqual([String(brotli.body.length), 0]);
  });

  it.each([
    ['br;q=0, gzip', 'gzip'],
    ['gzip;q=0, br;q=0', undefined],
    ['identity', undefined],
    ['*', 'br'],
    ['*;q=0', undefined],
    ['*;q=0, gzip;q=0.5', 'gzip'],
    ['BR', 'br'],
  ])('answers accept-encoding %s with %s', async (header, coding) => {
    const { headers } = await raw('/graphiql/workers/graphql.worker.js', { 'accept-encoding': header });
    expect(headers['content-encoding']).toBe(coding);
  });

  it.each([
    '/graphiql/../../app.js',
    '/graphiql/%2e%2e/%2e%2e/app.js',
    '/.made-of',
    '/graphiql/%00.js',
    '/%ff',
    '//etc/passwd',
  ])('is the only kind of file served: %s', async (path) => {
    const status = await new Promise((resolve, reject) => {
      httpRequest({ port: system.served.port, path }, (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end();
    });
    expect(status).toBe(404);
  });
});

describe('the dashboard', () => {
  let folder: string;
  let other: TestSystem;
  const there = (path: string): string => other.served.origin + path;
  const asPage = { headers: { accept: 'text/html,application/xhtml+xml' } };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'dashboard-'));
    mkdirSync(join(folder, 'assets'));
    writeFileSync(join(folder, 'index.html'), '<!doctype html><title>the dashboard</title>');
    writeFileSync(join(folder, 'assets', 'index-aB3_x-9Z.js'), 'export {};');
    const fileOrigins = ['https://files.example.org'];
    other = await startTestSystem({ staticRoot: builtPages, dashboardRoot: folder, fileOrigins });
  });

  afterAll(async () => {
    await other.served.close();
    rmSync(folder, { recursive: true });
  });

  it('is the root page for everybody, and loads from its own host only', async () => {
    const { status, headers, text } = await send(there('/'));
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(text).toContain('the dashboard');
    const policy = headers.get('content-security-policy');
    expect(policy).toContain("default-src 'self'");
    expect(policy).not.toContain('unsafe');
    expect((await send(there('/index.html'))).headers.get('content-security-policy')).toBe(policy);
    for (const path of ['/%69%6e%64%65%78.html', '/./index%2E%68%74%6d%6c'])
      expect((await send(there(path))).text).not.toContain('the dashboard');
  });

  it('permits reads from the origins of storages, and nothing else from there', async () => {
    const policyOf = async (path: string) =>
      (await send(there(path))).headers.get('content-security-policy')?.split('; ') ?? [];
    const policy = await policyOf('/');
    expect(policy.filter((rule) => rule.includes('files.example.org'))).toEqual([
      expect.stringMatching(/^connect-src 'self' ws:\S+ wss:\S+ https:\/\/files\.example\.org$/),
    ]);
    expect(policy).toContain("img-src 'self' data:");
    expect((await policyOf('/graphiql')).join()).not.toContain('files.example.org');
  });

  it('serves the address of each of its views to browsers', async () => {
    expect((await send(there('/jobs/job_1'), asPage)).text).toContain('the dashboard');
    const data = await send(there('/jobs/job_1'), { headers: { accept: 'application/json' } });
    expect([data.status, data.headers.get('content-type')]).toEqual([404, 'application/json; charset=utf-8']);
  });

  it('leaves the other endpoints in place', async () => {
    expect((await send(there('/graphiql'), asPage)).text).not.toContain('the dashboard');
    expect((await send(there('/healthz'), asPage)).text).toContain('"ok"');
    expect((await send(there('/assets/none.js'), asPage)).status).toBe(404);
  });

  it('has files that are cached for a period that depends on the name', async () => {
    const { status, headers } = await send(there('/assets/index-aB3_x-9Z.js'));
    expect([status, headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8']);
    expect(headers.get('cache-control')).toContain('immutable');
    expect((await send(there('/'))).headers.get('cache-control')).toBe('no-cache');
  });
});
