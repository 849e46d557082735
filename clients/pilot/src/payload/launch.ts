import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { readProcess } from '../processes/process-table.js';

/** What to start. */
export interface LaunchSpec {
  /** A path, or a name that is looked for on the PATH of `environment`. */
  readonly command: string;
  readonly arguments: readonly string[];
  /** The whole environment; nothing of this process's own is added. */
  readonly environment: Readonly<Record<string, string>>;
  /** The working folder. */
  readonly folder: string;
  /** A folder for the two pipes while they are opened. */
  readonly pipes: string;
}

/** How a process ended: one of the two is null. */
export interface ProcessEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that was started. */
export interface Launched {
  /** It leads a session and a process group of its own. */
  readonly leader: { readonly pid: number; readonly startTicks: number };
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** `onEnd` is called synchronously when the kernel has handed over the process's end. */
  onEnd(listener: (end: ProcessEnd) => void): void;
}

const run = promisify(execFile);

/**
 * Starts a process in a session of its own. Its output goes through real pipes: Node's own are sockets, on which a shell's
 * `> /dev/stderr` fails. The pipes push back: what is not read makes the process wait.
 * @throws the error of the operating system, with its `code`, when it cannot be started
 */
export async function launch(spec: LaunchSpec): Promise<Launched> {
  const [stdout, stderr] = await Promise.all(
    ['stdout', 'stderr'].map((name) => openPipe(join(spec.pipes, name))),
  );
  if (stdout === undefined || stderr === undefined) throw new Error('no pipes');
  try {
    const child = spawn(spec.command, spec.arguments, {
      cwd: spec.folder,
      env: { ...spec.environment },
      detached: true,
      stdio: ['ignore', stdout.writeFd, stderr.writeFd],
    });
    const leader = await whenStarted(child);
    return {
      leader,
      stdout: stdout.reader,
      stderr: stderr.reader,
      onEnd: (listener) => void child.once('exit', (exitCode, signal) => listener({ exitCode, signal })),
    };
  } catch (error) {
    stdout.reader.destroy();
    stderr.reader.destroy();
    throw error;
  } finally {
    closeSync(stdout.writeFd);
    closeSync(stderr.writeFd);
  }
}

interface Pipe {
  readonly reader: Socket;
  readonly writeFd: number;
}

async function openPipe(path: string): Promise<Pipe> {
  await run('mkfifo', ['-m', '600', path]);
  // Without O_NONBLOCK, opening would wait for a writer, and the writer's opening for this reader.
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeFd = openSync(path, constants.O_WRONLY);
  rmSync(path);
  return { reader: new Socket({ fd: readFd, readable: true, writable: false }), writeFd };
}

/** The process id is there at once, and so is /proc: an ended child stays until this thread gives the event loop a turn. */
async function whenStarted(child: ChildProcess): Promise<Launched['leader']> {
  const { pid } = child;
  if (pid === undefined) return new Promise((_, reject) => child.once('error', reject));
  return { pid, startTicks: readProcess(pid)?.startTicks ?? 0 };
}
