/** Steps that take a while, each reported as it ends. */
import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { CliError, exitCodes } from '../exit-codes.js';

/** One step of a longer work. */
export interface Step {
  readonly title: string;
  run(): void | Promise<void>;
  /** Undoes the step if it or a later one fails. */
  undo?(): void;
}

/**
 * Runs steps in order and prints each with its number and duration. If one fails, the steps so far are
 * undone, the last one first: nothing half done remains.
 */
export async function runSteps(steps: readonly Step[], progress: Writable, now: () => number): Promise<void> {
  for (const [index, step] of steps.entries()) {
    progress.write(`${index + 1}/${steps.length} ${step.title} … `);
    const started = now();
    try {
      await step.run();
    } catch (error) {
      progress.write('failed\n');
      for (const done of steps.slice(0, index + 1).reverse()) done.undo?.();
      throw error;
    }
    progress.write(`${((now() - started) / 1000).toFixed(1)} s\n`);
  }
}

/**
 * Runs a program to its end; its output is shown only if it fails.
 * @throws CliError
 */
export function runProgram(command: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => said.push(text));
    }
    child.once('error', (error) => reject(failed(error.message)));
    child.once('close', (code) => (code === 0 ? resolve(said.join('')) : reject(failed(said.join('')))));
    const failed = (text: string): CliError =>
      new CliError(
        exitCodes.failed,
        `"${[command, ...args].join(' ')}" failed in ${cwd}:\n${text.trimEnd()}`,
      );
  });
}
