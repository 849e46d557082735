/** Runs the commands of batch systems: one at a time, with a limit on time and output. */
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';

/**
 * Answer of a command. FAILED: it has no exit code if it was not started. UNKNOWN: it was ended before it
 * answered, and may have had its effect.
 */
export type CommandResult =
  | { readonly kind: 'DONE'; readonly stdout: string }
  | { readonly kind: 'FAILED'; readonly exitCode?: number | undefined; readonly reason: string }
  | { readonly kind: 'UNKNOWN'; readonly reason: string };

/** A command. */
export interface Command {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly input?: string | undefined;
}

const mostOutput = 64 * 1024 * 1024;
const mostReason = 400;
/** Time for which the output of an ended command is still read. */
const lastOutputMs = 1000;

/** Runs commands one after another. */
export class CommandRunner {
  readonly #seconds: number;
  readonly #environment: NodeJS.ProcessEnv;
  #last: Promise<unknown> = Promise.resolve();

  /** @param seconds time limit of one command */
  constructor(seconds: number, environment: NodeJS.ProcessEnv) {
    this.#seconds = seconds;
    this.#environment = environment;
  }

  /** Runs a command after those before it. */
  run(command: Command): Promise<CommandResult> {
    const result = this.#last.then(() => this.#run(command));
    this.#last = result.catch(() => undefined);
    return result;
  }

  #run({ program, arguments: args, input = '' }: Command): Promise<CommandResult> {
    return new Promise((resolve) => {
      const child = spawned(program, args, this.#environment);
      if (child instanceof Error) {
        resolve(notStarted(program, child));
        return;
      }
      const output = { stdout: '', stderr: '' };
      let ending: string | undefined;
      const end = (reason: string): void => {
        ending ??= reason;
        killGroup(child);
        // A process in another group may keep the pipes open.
        setTimeout(() => {
          for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
          resolve({ kind: 'UNKNOWN', reason: ending ?? reason });
        }, lastOutputMs);
      };
      const timer = setTimeout(
        () => end(`${program} did not answer for ${this.#seconds} s`),
        this.#seconds * 1000,
      );
      for (const name of ['stdout', 'stderr'] as const)
        child[name].setEncoding('utf8').on('data', (text: string) => {
          output[name] += text;
          if (output[name].length > mostOutput) end(`${program} printed more than ${mostOutput} characters`);
        });
      // A command that does not read its input has its reasons: its exit code says the rest.
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
      child.on('error', (error) => {
        clearTimeout(timer);
        resolve(notStarted(program, error));
      });
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        if (ending !== undefined) resolve({ kind: 'UNKNOWN', reason: ending });
        else if (code === 0) resolve({ kind: 'DONE', stdout: output.stdout });
        else if (signal !== null) resolve({ kind: 'UNKNOWN', reason: `${program} was ended by ${signal}` });
        else
          resolve({
            kind: 'FAILED',
            exitCode: code ?? undefined,
            reason: shortened(output.stderr || `${program} ended with exit code ${code}`),
          });
      });
    });
  }
}

/** Starts a command in a process group of its own. Without file descriptors it has no pipes, or throws. */
function spawned(
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): ChildProcessWithoutNullStreams | Error {
  try {
    const child: ChildProcess = spawn(program, args, { env: environment, detached: true, stdio: 'pipe' });
    if (child.stdin && child.stdout && child.stderr) return child as ChildProcessWithoutNullStreams;
    child.on('error', () => undefined);
    return new Error('it has no pipes; too many files may be open');
  } catch (error) {
    return error as Error;
  }
}

function killGroup({ pid }: Pick<ChildProcess, 'pid'>): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

function notStarted(program: string, { message }: Error): CommandResult {
  return { kind: 'FAILED', reason: `${program} could not be started: ${message}` };
}

/** A message on one line, of bounded length. */
export function shortened(text: string): string {
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  return line.length <= mostReason ? line : `${line.slice(0, mostReason - 1)}…`;
}
