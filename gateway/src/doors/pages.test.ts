import { readdirSync, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { builtPages } from '../app.js';
import { type House, startHouse } from '../testing/house.js';
import { send } from '../testing/post.js';

let house: House;
const at = (path: string): string => house.served.origin + path;

beforeAll(async () => {
  house = await startHouse({ staticRoot: builtPages });
});

afterAll(() => house.served.close());

describe('GraphiQL', () => {
  test('is a page for everybody, and may load from its own host only', async () => {
    const page = await send(at('/graphiql'));
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const policy = page.headers.get('content-security-policy')?.split('; ') ?? [];
    const host = `127.0.0.1:${house.served.port}`;
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain(`connect-src 'self' ws://${host} wss://${host}`);
    for (const rule of policy) expect(rule.replaceAll(`//${host}`, '')).not.toMatch(/\/\/|\*/);
    expect(page.text).not.toMatch(/https?:\/\//);
  });

  test('the front door leads there', async () => {
    const { status, headers } = await send(at('/'));
    expect([status, headers.get('location')]).toEqual([302, '/graphiql']);
  });

  test('every file that it names is served, with a type of its own', async () => {
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

  test('none of its scripts imports from elsewhere', () => {
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

describe('built files', () => {
  test('are kept by the browser as long as their name says, and not sent again while they are the same', async () => {
    const script = /src="([^"]+)"/.exec((await send(at('/graphiql'))).text)?.[1] ?? '';
    const { headers } = await send(at(script));
    expect(headers.get('cache-control')).toContain('immutable');
    const etag = headers.get('etag') ?? '';
    expect((await send(at(script), { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await send(at('/graphiql/main.css'))).headers.get('cache-control')).toBe('no-cache');
  });

  test.each([
    '/graphiql/../../app.js',
    '/graphiql/%2e%2e/%2e%2e/app.js',
    '/.made-of',
    '/graphiql/%00.js',
    '/%ff',
    '//etc/passwd',
  ])('nothing beside them can be had: %s', async (path) => {
    const status = await new Promise((resolve, reject) => {
      httpRequest({ port: house.served.port, path }, (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end();
    });
    expect(status).toBe(404);
  });
});
