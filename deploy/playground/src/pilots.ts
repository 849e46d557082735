/** The playground's pilots: processes of their own, as on worker nodes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { playgroundQueue } from './seed.js';

/** What pilots need to know. */
export interface PilotOptions {
  readonly url: string;
  readonly token: string;
  readonly data: string;
  readonly count: number;
}

/** Running pilots. */
export interface Pilots {
  readonly pids: readonly number[];
  /** Lets them drain for a moment, then kills them; resolves when all have ended. */
  stop(graceMs: number): Promise<void>;
}

const program = fileURLToPath(new URL('./bin.js', import.meta.resolve('@rhizome/pilot')));

/** Starts the pilots. Each offers its part of the machine, at least two cores, so that jobs run side by side also on a small one. */
export function startPilots({ url, token, data, count }: PilotOptions): Pilots {
  const folder = join(data, 'pilots');
  mkdirSync(folder, { recursive: true });
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const cores = Math.max(2, Math.floor(availableParallelism() / Math.max(1, count)));
  const memory = Math.max(1024, Math.floor((totalmem() / 2 ** 20) * (0.5 / Math.max(1, count))));
  const children = Array.from({ length: count }, (_, index) => {
    const name = `pilot-${index + 1}`;
    const log = openSync(join(folder, `${name}.log`), 'a');
    const args = ['--url', url, '--token-file', tokenFile, '--queue', playgroundQueue, '--name', name];
    const place = [
      '--scratch',
      join(folder, name),
      '--store',
      join(data, 'store'),
      '--cores',
      String(cores),
      '--memory-mib',
      String(memory),
      '--drain-seconds',
      '1',
    ];
    const child = spawn(process.execPath, [program, ...args, ...place], { stdio: ['ignore', log, log] });
    closeSync(log);
    return child;
  });
  return {
    pids: children.flatMap(({ pid }) => (pid === undefined ? [] : [pid])),
    stop: async (graceMs) => {
      await Promise.all(children.map((child) => end(child, graceMs)));
    },
  };
}

/** Ends a process: SIGTERM, and SIGKILL when the grace is over. */
export async function end(child: ChildProcess, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await exited;
  clearTimeout(timer);
}
