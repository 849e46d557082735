import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { sendSignal } from '../process.js';

// A shell between us and the program. Descriptor 3 is a pipe from this process: it closes when this process
// ends, however it ends, and then the guard stops the program. As the program's parent the shell holds its
// process id until it is gone, so the guard never hits another process.
const script = `
"$@" 3<&- 1>&2 &
pid=$!
echo "$pid"
(
  read -r _ <&3
  kill -TERM "$pid"
  n=0
  while [ "$n" -lt 30 ]; do sleep 0.1; kill -0 "$pid" || exit 0; n=$((n + 1)); done
  kill -KILL "$pid"
) 2>/dev/null &
guard=$!
wait "$pid"
status=$?
kill "$guard" 2>/dev/null
exit "$status"
`;

/** A program that does not outlive this process. */
export interface WatchedProcess {
  /** Process id of the program itself. */
  readonly pid: number;
  /** Exit status in the shell's words: 128 + n for signal n. */
  readonly exited: Promise<number>;
  /** False once it has ended. */
  readonly isRunning: () => boolean;
  /** The last 4 KiB of what it wrote to its streams. */
  readonly output: () => string;
  /** Sends a signal to the program; nothing happens when it has ended. */
  kill(signal: NodeJS.Signals): void;
}

/**
 * Starts a program under a watchdog, in a session of its own (a Ctrl-C of the terminal does not reach it). It
 * never keeps this process alive, except while somebody waits with `waitForExit`.
 */
export async function spawnWatched(command: string, args: readonly string[]): Promise<WatchedProcess> {
  const shell = spawn('/bin/sh', ['-c', script, 'watchdog', command, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  shell.stderr?.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString('utf8')).slice(-4096);
  });
  let running = true;
  const exited = once(shell, 'exit').then(([code]) => {
    running = false;
    return typeof code === 'number' ? code : 255;
  });
  const pid = await readPid(shell.stdout as unknown as Socket, exited);
  for (const stream of [shell.stdout, shell.stderr, shell.stdio[3]]) (stream as unknown as Socket).unref();
  shell.unref();
  return {
    pid,
    exited,
    isRunning: () => running,
    output: () => output,
    kill(signal) {
      if (running) sendSignal(pid, signal);
    },
  };
}

async function readPid(stdout: Socket, exited: Promise<number>): Promise<number> {
  const first = once(stdout, 'data').then(([chunk]) => Number(String(chunk).trim()));
  const pid = await Promise.race([first, exited.then(() => Number.NaN)]);
  if (!Number.isInteger(pid)) throw new Error('the watchdog shell gave no process id');
  return pid;
}

/**
 * Waits until the program has ended, at most `timeoutMs`; true when it has. Keeps this process alive
 * meanwhile.
 */
export async function waitForExit(watched: WatchedProcess, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  try {
    return await Promise.race([watched.exited.then(() => true as const), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
