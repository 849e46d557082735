/** Node programs as child processes that do not outlive this one, each with its own log file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fchmodSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { childEnvironment } from '../config.js';
import { dyingWithParent } from './dying-with-parent.js';

/** A program to start. */
export interface ChildOptions {
  /** Name in messages. */
  readonly name: string;
  /** Path of a JavaScript file. */
  readonly program: string;
  readonly args?: readonly string[];
  /** Options of Node itself. */
  readonly nodeOptions?: readonly string[];
  /** Added to the inherited environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** File to which both outputs are appended. */
  readonly logFile: string;
}

/** End of a process. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running process. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** End of the process; undefined while it runs. */
  readonly end: ChildEnd | undefined;
  readonly exited: Promise<ChildEnd>;
  /** True once `stop` or `kill` was called. */
  readonly isAsked: boolean;
  /** Output since the start. */
  written(): string;
  /** Sends a signal, if the process still runs. */
  signal(signal: NodeJS.Signals): void;
  /** Sends SIGTERM, and SIGKILL after the grace time; resolves when the process has ended. */
  stop(graceMs: number): Promise<ChildEnd>;
  /** Sends SIGKILL; resolves when the process has ended. */
  kill(): Promise<ChildEnd>;
}

/**
 * Starts a program in its own session, so that Ctrl-C reaches it only through this process. The kernel kills
 * it when this process dies for any reason.
 */
export function startChild(options: ChildOptions): Child {
  const { name, program, args = [], nodeOptions = [], env = {}, logFile } = options;
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a', 0o600);
  fchmodSync(log, 0o600);
  const logFrom = fstatSync(log).size;
  const [command = process.execPath, ...before] = dyingWithParent(process.execPath);
  const child = spawn(command, [...before, ...nodeOptions, program, ...args], {
    stdio: ['ignore', log, log],
    detached: true,
    env: childEnvironment(env),
  });
  closeSync(log);
  return new Started(name, child, logFile, logFrom);
}

class Started implements Child {
  readonly exited: Promise<ChildEnd>;
  readonly #child: ChildProcess;
  readonly #logFrom: number;
  end: ChildEnd | undefined;
  isAsked = false;

  constructor(
    readonly name: string,
    child: ChildProcess,
    readonly logFile: string,
    logFrom: number,
  ) {
    this.#child = child;
    this.#logFrom = logFrom;
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve((this.end = { code, signal })));
      // The program could not be started; 127 is the shell's exit code for that.
      child.once('error', () => {
        if (child.pid === undefined) resolve((this.end = { code: 127, signal: null }));
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  written(): string {
    return readFileSync(this.logFile).subarray(this.#logFrom).toString('utf8');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(graceMs: number): Promise<ChildEnd> {
    this.isAsked = true;
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  kill(): Promise<ChildEnd> {
    this.isAsked = true;
    // A stopped process does not react to other signals.
    this.signal('SIGKILL');
    return this.exited;
  }
}

/** Text for people about the end of a process. */
export function describeEnd({ code, signal }: ChildEnd): string {
  return signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
}

/** Last lines of a process's output, for messages. */
export function lastLines(child: Child, count = 8): string {
  return child
    .written()
    .trim()
    .split('\n')
    .slice(-count)
    .map((line) => `  ${line.slice(0, 500)}`)
    .join('\n');
}

/** Text for people about a process that ended, with its log. */
export function endOf(child: Child): string {
  const { name, pid, end = { code: null, signal: null }, logFile } = child;
  return `${name} (process ${pid}) ${describeEnd(end)}; its log is ${logFile}:\n${lastLines(child)}`;
}
