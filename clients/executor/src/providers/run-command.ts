/** Runs the commands of batch systems: one at a time, with a limit on time and output. */
import { spawn } from 'node:child_process';

/** Answer of a command. UNKNOWN: it was ended before it answered, and may have had its effect. */
export type CommandResult =
  | { readonly kind: 'DONE'; readonly stdout: string }
  | { readonly kind: 'FAILED'; readonly reason: string }
  | { readonly kind: 'UNKNOWN'; readonly reason: string };

/** A command. */
export interface Command {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly input?: string | undefined;
}

const mostOutput = 64 * 1024 * 1024;
const mostReason = 400;

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
    this.#last = result;
    return result;
  }

  #run({ program, arguments: args, input = '' }: Command): Promise<CommandResult> {
    return new Promise((resolve) => {
      const child = spawn(program, args, { env: this.#environment, stdio: ['pipe', 'pipe', 'pipe'] });
      const output = { stdout: '', stderr: '' };
      let ending: string | undefined;
      const end = (reason: string): void => {
        ending = reason;
        child.kill('SIGKILL');
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
        resolve({ kind: 'FAILED', reason: `${program} could not be started: ${error.message}` });
      });
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        if (ending !== undefined) resolve({ kind: 'UNKNOWN', reason: ending });
        else if (code === 0) resolve({ kind: 'DONE', stdout: output.stdout });
        else if (signal !== null) resolve({ kind: 'UNKNOWN', reason: `${program} was ended by ${signal}` });
        else
          resolve({
            kind: 'FAILED',
            reason: shortened(output.stderr || `${program} ended with exit code ${code}`),
          });
      });
    });
  }
}

/** A message on one line, of bounded length. */
export function shortened(text: string): string {
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  return line.length <= mostReason ? line : `${line.slice(0, mostReason - 1)}…`;
}
