import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { createInterface } from 'node:readline';
import { inheritedEnvironment } from './config.js';
import { leftovers } from './leftovers.js';
import { waitFor } from './wait-for.js';

/** A program to start. */
export interface SpawnOptions {
  /** Names it in messages. */
  readonly name: string;
  /** The program; `node` stands for the one that runs this. */
  readonly command: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** Added to this process' environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** True if it leads a process group with its own process id, like a command of a terminal. */
  readonly group?: boolean;
}

/** Exit of a process. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running program. */
export interface TestProcess {
  readonly name: string;
  readonly pid: number;
  /** All lines so far, of both outputs as they came. */
  readonly lines: readonly string[];
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** Resolves when it has ended and its outputs are read. */
  readonly exited: Promise<ProcessExit>;
  /** The first line, past or to come, that matches; the groups of the match. */
  line(pattern: RegExp, deadlineMs: number): Promise<RegExpExecArray>;
  /** Writes to its standard input. */
  write(text: string): void;
  /** Ends its standard input, after a last text. */
  end(text?: string): void;
  /** Sends a signal and waits for the end. */
  kill(signal?: NodeJS.Signals): Promise<ProcessExit>;
  /** Sends a signal and waits for nothing. */
  signal(signal: NodeJS.Signals): void;
}

/** Starts a real process; killed at the end of the file if it still runs. */
export function spawnProcess({
  name,
  command,
  args = [],
  cwd,
  env,
  group = false,
}: SpawnOptions): TestProcess {
  const child = spawn(command === 'node' ? process.execPath : command, [...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: group,
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...inheritedEnvironment(), ...env },
  });
  return leftovers.use(new Spawned(name, child), `process ${name}`);
}

class Spawned implements TestProcess {
  readonly name: string;
  readonly lines: string[] = [];
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly exited: Promise<ProcessExit>;
  readonly #child: ChildProcess;
  readonly #events = new EventEmitter();
  #end: ProcessExit | undefined;

  constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    this.#read('stdout');
    this.#read('stderr');
    this.exited = new Promise((resolve, reject) => {
      child.once('error', (error) => reject(new Error(`${name} could not be started: ${error.message}`)));
      child.once('close', (code, signal) => {
        this.#end = { code, signal };
        this.#events.emit('end');
        resolve(this.#end);
      });
    });
    // Who waits sees the error; a program that nobody waits for must not end the tests.
    this.exited.catch(() => undefined);
    child.stdin?.on('error', () => undefined);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} could not be started`);
    return this.#child.pid;
  }

  #read(from: 'stdout' | 'stderr'): void {
    const stream = this.#child[from];
    if (!stream) return;
    createInterface({ input: stream }).on('line', (line) => {
      this[from].push(line);
      this.lines.push(line);
      this.#events.emit('line', line);
    });
  }

  line(pattern: RegExp, deadlineMs: number): Promise<RegExpExecArray> {
    let stop: () => void = () => undefined;
    const found = new Promise<RegExpExecArray>((resolve, reject) => {
      const look = (line: string): boolean => {
        const match = pattern.exec(line);
        if (match) resolve(match);
        return match !== null;
      };
      if (this.lines.some(look)) return;
      const onEnd = (): void =>
        reject(new Error(`${this.name} ended without a line like ${pattern}:\n${this.#tail()}`));
      if (this.#end) return onEnd();
      this.#events.on('line', look).on('end', onEnd);
      stop = () => this.#events.off('line', look).off('end', onEnd);
    });
    return waitFor(`${this.name} says ${pattern}`, found, { deadlineMs })
      .catch((error: unknown) => {
        const text = error instanceof Error ? error.message : String(error);
        throw new Error(text.includes(this.#tail()) ? text : `${text}; its last lines:\n${this.#tail()}`);
      })
      .finally(() => stop());
  }

  #tail(): string {
    return this.lines.slice(-20).join('\n');
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  end(text = ''): void {
    this.#child.stdin?.end(text);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<ProcessExit> {
    if (!this.#end) this.#child.kill(signal);
    return this.exited;
  }

  /** Ends it without further ado. */
  async dispose(): Promise<void> {
    if (this.#end) return;
    this.#child.kill('SIGKILL');
    await this.exited.catch(() => undefined);
  }
}
