/**
 * `@apollo/gateway` on `@apollo/server`, in its own process. Rhizome does not depend on it: it is installed
 * into an ignored folder when it is first needed.
 */
import { execFile, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '@rhizome/mongo';
import { ended, untilAnswering } from './processes.js';
import type { RunningGateway } from './gateway.types.js';

const folder = fileURLToPath(new URL('../../../../.cache/bench-peer', import.meta.url));
const manifest = JSON.stringify(
  {
    private: true,
    type: 'module',
    dependencies: { '@apollo/gateway': '2.14.4', '@apollo/server': '5.5.1', graphql: '16.15.0' },
  },
  null,
  2,
);
const program = fileURLToPath(new URL('../../../bench/gateway/peer-server.mjs', import.meta.url));

/** Starts the peer on a supergraph; installs it first where it is not there. */
export async function startPeer(
  supergraphFile: string,
  progress: (text: string) => void,
): Promise<RunningGateway> {
  await install(progress);
  const port = await freePort();
  const child = spawn(process.execPath, [join(folder, 'server.mjs'), supergraphFile, String(port)], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const url = `http://127.0.0.1:${port}/`;
  await untilAnswering(url, child);
  return { url, pid: child.pid ?? 0, stop: () => ended(child) };
}

async function install(progress: (text: string) => void): Promise<void> {
  mkdirSync(folder, { recursive: true });
  copyFileSync(program, join(folder, 'server.mjs'));
  const file = join(folder, 'package.json');
  const isThere = existsSync(file) && readFileSync(file, 'utf8') === manifest;
  if (isThere && existsSync(join(folder, 'node_modules/@apollo/gateway'))) return;
  writeFileSync(file, manifest);
  progress('installs @apollo/gateway into .cache/bench-peer');
  await promisify(execFile)('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: folder,
  });
}
