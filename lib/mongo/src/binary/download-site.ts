import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../config.js';
import { withBytes, type OnProgress } from './progress.js';
import { run } from './run.js';

/** The version that is fetched from MongoDB's site. */
export const downloadVersion = '8.0.12';

/** Without a first byte the site is given up after this; a download that stands still, after the second. */
const firstByteMs = 6_000;
const stalledMs = 20_000;

const child = fileURLToPath(new URL('./download-child.js', import.meta.url));

/**
 * Fetches the archive for this distribution from MongoDB's download site into `staging` and unpacks it there.
 * @returns the binary's path
 * @throws Error that says why not: unreachable (within seconds), no archive for this system, wrong checksum
 */
export async function downloadFromSite(
  staging: string,
  env: Environment,
  onProgress: OnProgress,
): Promise<string> {
  const step = `downloading mongod ${downloadVersion} from MongoDB`;
  onProgress({ step });
  const stop = new AbortController();
  let timer = setTimeout(() => stop.abort(), firstByteMs);
  let givenUp = `no answer within ${firstByteMs / 1000} s`;
  const onOutput = (text: string): void => {
    for (const [, complete, total] of text.matchAll(/\(([\d.]+)mb \/ ([\d.]+)mb\)/g)) {
      clearTimeout(timer);
      givenUp = `nothing came for ${stalledMs / 1000} s`;
      timer = setTimeout(() => stop.abort(), stalledMs);
      if (Number(total) > 1) onProgress(withBytes(step, Number(complete) * 1048576, Number(total) * 1048576));
    }
  };
  const result = await run(process.execPath, [child, downloadVersion, join(staging, 'site')], {
    env: childEnvironment(env),
    onOutput,
    signal: stop.signal,
  });
  clearTimeout(timer);
  const path = /^PATH=(.+)$/m.exec(result.output)?.[1];
  if (path) return path;
  throw new Error(
    stop.signal.aborted
      ? givenUp
      : (/^FAILED=(.+)$/m.exec(result.output)?.[1] ?? `the download ended with code ${result.code}`),
  );
}

/** By default the helper does not check certificates and checksums, and waits long between attempts. */
function childEnvironment(env: Environment): Environment {
  return {
    ...env,
    npm_config_strict_ssl: 'true',
    MONGOMS_MD5_CHECK: 'true',
    MONGOMS_MAX_RETRIES: '1',
    MONGOMS_PREFER_GLOBAL_PATH: 'false',
    MONGOMS_SYSTEM_BINARY: '',
    MONGOMS_DOWNLOAD_DIR: '',
    MONGOMS_VERSION: '',
    NODE_OPTIONS: '',
  };
}
