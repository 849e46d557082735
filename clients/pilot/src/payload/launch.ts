import { spawn, type ChildProcess, type StdioNull, type StdioPipe } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { Readable, Writable } from 'node:stream';
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
  /** Set if its processes get a mark, because it runs without a sandbox. */
  readonly mark?: ProcessMark;
  /** True if `/dev/shm` is not the host's for the payload. */
  readonly hasOwnSharedMemory?: true;
  /** Set if the program starts the payload in a sandbox and reports its end. */
  readonly supervision?: Supervision;
}

/** Means to mark the processes of a payload. */
export interface ProcessMark {
  /** Path of the program. */
  readonly prlimit: string;
  /** Open files of one process. */
  readonly openFiles: number;
}

/** Exchange with a program that supervises a payload. */
export interface Supervision {
  /** The file descriptor from which it reads its options. */
  readonly optionsFd: number;
  readonly options: string;
  /** The filter of the payload's system calls, in base64, and the file descriptor from which it is read. */
  readonly systemCallFilter?: { readonly fd: number; readonly program: string };
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
  /** End of the payload in its sandbox, once the process has ended; undefined if it reported none. */
  readonly reported: Promise<ProcessEnd | undefined> | undefined;
}

/** The file descriptor to which a supervising program writes the end of its payload. */
const reportFd = 3;

/**
 * Starts a process in a session of its own, with its output into the pipes.
 * @throws the error of the operating system, with its `code`, if it cannot be started
 */
export async function launch(spec: LaunchSpec, { stdout, stderr }: OpenPipes): Promise<Launched> {
  const child = await spawnWithFiles(spec, stdout.writeFd, stderr.writeFd);
  const reported = spec.supervision === undefined ? undefined : reportedEnd(child);
  const leader = await whenStarted(child);
  return {
    leader,
    onEnd: (listener) => void child.once('exit', (exitCode, signal) => listener({ exitCode, signal })),
    reported,
  };
}

/** Starts a process, after its files have been written. */
export async function spawnWithFiles(
  spec: LaunchSpec,
  stdout: StdioNull | StdioPipe | number,
  stderr: StdioNull | StdioPipe | number,
): Promise<ChildProcess> {
  for (const { path, text } of spec.files ?? []) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, text, { mode: 0o600, flag: 'wx' });
  }
  const { supervision } = spec;
  const filter = supervision?.systemCallFilter;
  const more = supervision === undefined ? [] : (['pipe', 'pipe'] as const);
  const last = filter === undefined ? [] : (['pipe'] as const);
  const child = spawn(spec.command, spec.arguments, {
    cwd: spec.folder,
    env: { ...spec.environment },
    detached: true,
    stdio: ['ignore', stdout, stderr, ...more, ...last],
  });
  if (supervision !== undefined) writeTo(child, supervision.optionsFd, supervision.options);
  if (filter !== undefined) writeTo(child, filter.fd, Buffer.from(filter.program, 'base64'));
  return child;
}

function writeTo(child: ChildProcess, fd: number, data: string | Buffer): void {
  const pipe = child.stdio[fd];
  if (!(pipe instanceof Writable)) return;
  // A program that ended at once has not read its options; its end is reported.
  pipe.on('error', () => undefined);
  pipe.end(data);
}

/** Reads the end of a payload as its supervising program reports it. */
export async function reportedEnd(child: ChildProcess): Promise<ProcessEnd | undefined> {
  const stream = child.stdio[reportFd];
  if (!(stream instanceof Readable)) return undefined;
  let text = '';
  stream.setEncoding('latin1').on('data', (part: string) => (text += text.length < 16 ? part : ''));
  await new Promise((resolve) => stream.once('error', resolve).once('close', resolve));
  return parseEnd(text);
}

/** Number from which on awk means a signal, and a signal with a memory dump. */
const signalled = 256;
const dumped = 512;

/** An exit code, or 256 and the number of a signal. */
export function parseEnd(text: string): ProcessEnd | undefined {
  if (!/^\d{1,4}\n$/.test(text)) return undefined;
  const end = Number(text);
  if (end < signalled) return { exitCode: end, signal: null };
  const number = end - (end >= dumped ? dumped : signalled);
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found === undefined
    ? { exitCode: 128 + number, signal: null }
    : { exitCode: null, signal: found[0] as NodeJS.Signals };
}

/**
 * End of a payload that killed the program which reports its end, or was killed with it. Undefined if the
 * sandbox could not be made.
 */
export function supervisorsEnd({ exitCode, signal }: ProcessEnd): ProcessEnd | undefined {
  const shellsSignals = 128;
  if (signal !== null || exitCode === null) return { exitCode, signal };
  if (exitCode <= shellsSignals) return undefined;
  return parseEnd(`${exitCode - shellsSignals + signalled}\n`);
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
