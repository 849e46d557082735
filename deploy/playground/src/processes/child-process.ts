/** Node programs as processes that do not outlive this one, each with a log file of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fchmodSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { childEnvironment } from '../config.js';
import { dyingWithParent } from './dying-with-parent.js';

/** A program to start. */
export interface ChildOptions {
  /** Names it in messages. */
  readonly name: string;
  /** Path of a JavaScript file. */
  readonly program: string;
  readonly args?: readonly string[];
  /** Options of Node itself. */
  readonly nodeOptions?: readonly string[];
  /** Added to the environment that it inherits. */
  readonly env?: Readonly<Record<string, string>>;
  /** Both its outputs are appended here. */
  readonly logFile: string;
}

/** How a process ended. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running process. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** How it ended; undefined while it runs. */
  readonly end: ChildEnd | undefined;
  readonly exited: Promise<ChildEnd>;
  /** Whether it was asked to end, by `stop` or `kill`. */
  readonly isAsked: boolean;
  /** What it has written since it was started. */
  written(): string;
  /** Sends a signal; nothing happens when it has ended. */
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL when the grace is over; resolves when it has ended. */
  stop(graceMs: number): Promise<ChildEnd>;
  /** Ends it without a word of warning; resolves when it has ended. */
  kill(): Promise<ChildEnd>;
}

/**
 * Starts a program in a session of its own, so that Ctrl-C reaches it through this process alone, and such that it is
 * killed when this process dies, however it dies.
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
      // It was never there: the shell's word for it.
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
    // A process that was stopped does not see other signals.
    this.signal('SIGKILL');
    return this.exited;
  }
}

/** How a process ended, for people. */
export function describeEnd({ code, signal }: ChildEnd): string {
  return signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
}

/** The last lines of what a process wrote, for messages. */
export function lastLines(child: Child, count = 8): string {
  return child
    .written()
    .trim()
    .split('\n')
    .slice(-count)
    .map((line) => `  ${line.slice(0, 500)}`)
    .join('\n');
}
