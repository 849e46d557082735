import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readProcess } from '../processes/process-table.js';
import type { OpenPipes } from './pipe-pool.js';

/** A program to start. */
export interface LaunchSpec {
  /** A path, or a name to search on the PATH of `environment`. */
  readonly command: string;
  readonly arguments: readonly string[];
  /** The complete environment; nothing of this process's own is added. */
  readonly environment: Readonly<Record<string, string>>;
  /** The working folder. */
  readonly folder: string;
  /** Written before the start, for this user only. */
  readonly files?: readonly PrivateFile[];
}

/** A file that a program reads when it starts. */
export interface PrivateFile {
  readonly path: string;
  readonly text: string;
}

/** End of a process: one of the two is null. */
export interface ProcessEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that was started. */
export interface Launched {
  /** It leads a session and a process group of its own. */
  readonly leader: { readonly pid: number; readonly startTicks: number };
  /** `onEnd` is called synchronously when the kernel reports the end of the process. */
  onEnd(listener: (end: ProcessEnd) => void): void;
}

/**
 * Starts a process in a session of its own, with its output into the pipes.
 * @throws the error of the operating system, with its `code`, if it cannot be started
 */
export async function launch(spec: LaunchSpec, { stdout, stderr }: OpenPipes): Promise<Launched> {
  for (const { path, text } of spec.files ?? []) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, text, { mode: 0o600, flag: 'wx' });
  }
  const child = spawn(spec.command, spec.arguments, {
    cwd: spec.folder,
    env: { ...spec.environment },
    detached: true,
    stdio: ['ignore', stdout.writeFd, stderr.writeFd],
  });
  const leader = await whenStarted(child);
  return {
    leader,
    onEnd: (listener) => void child.once('exit', (exitCode, signal) => listener({ exitCode, signal })),
  };
}

/**
 * The process id is known at once, and /proc has the process: an ended child stays until this thread returns
 * to the event loop.
 */
async function whenStarted(child: ChildProcess): Promise<Launched['leader']> {
  const { pid } = child;
  if (pid === undefined) return new Promise((_, reject) => child.once('error', reject));
  return { pid, startTicks: readProcess(pid)?.startTicks ?? 0 };
}
