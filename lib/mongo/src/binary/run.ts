import { type ChildProcess, spawn } from 'node:child_process';
import type { Environment } from '../config.js';

/** Exit of a program. */
export interface RunResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Both streams, as they came, the last 64 KiB. */
  readonly output: string;
  /** Set when the program could not be started at all. */
  readonly startError?: NodeJS.ErrnoException;
}

/** Options of `run`. */
export interface RunOptions {
  readonly env?: Environment;
  /** Called for each chunk of output. */
  readonly onOutput?: (text: string) => void;
  /** The program is killed when this is aborted. */
  readonly signal?: AbortSignal;
}

const kept = 64 * 1024;

/** Running programs. A download takes minutes: it must not outlive this process. */
const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Runs a program to its end and gives what it printed; never rejects. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.env ? { env: options.env } : {}),
      ...(options.signal ? { signal: options.signal, killSignal: 'SIGKILL' } : {}),
    });
    running.add(child);
    child.once('close', () => running.delete(child));
    const collect = (chunk: Buffer): void => {
      const text = chunk.toString('utf8');
      output = (output + text).slice(-kept);
      options.onOutput?.(text);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (startError) => {
      if (child.pid !== undefined) return;
      running.delete(child);
      resolve({ code: null, signal: null, output, startError });
    });
    child.on('close', (code, signal) => resolve({ code, signal, output }));
  });
}
