/** `rhizome` as a person or a script runs it: a process of its own, in a folder of its own. */
import { dirname, join } from 'node:path';
import { type ProcessExit, spawnProcess, type TestProcess } from '@rhizome/testkit';
import { type PlaygroundSystem, root } from './playground-system.js';

/** Result of a command. */
export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as one JSON document. */
  json<T>(): T;
}

/** Options of a command. */
export interface CommandOptions {
  /** Written to its standard input, which then ends. */
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory; by default the parent of the playground's data folder. */
  readonly cwd?: string;
  /** Runs it in a terminal: what it writes to either stream comes as standard output. */
  readonly isInTerminal?: boolean;
}

/** Runs commands next to a playground's data folder, so that they find the gateway and the token. */
export interface CommandLine {
  /** Runs a command to its end. */
  run(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Starts a command that goes on. */
  start(args: readonly string[], options?: CommandOptions): TestProcess;
}

/** Runs a command in a pseudo-terminal, with its exit code. */
const inTerminal = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';

/** The command line of a system. */
export function commandLineOf({ data }: Pick<PlaygroundSystem, 'data'>): CommandLine {
  const start: CommandLine['start'] = (
    args,
    { env = {}, cwd = dirname(data), isInTerminal = false } = {},
  ) => {
    const command = ['node', join(root, 'clients', 'cli', 'bin', 'rhizome.mjs'), ...args];
    const [program = '', ...rest] = isInTerminal ? ['python3', '-c', inTerminal, ...command] : command;
    return spawnProcess({
      name: `rhizome ${args.join(' ')}`,
      command: program,
      args: rest,
      cwd,
      env: { XDG_CONFIG_HOME: join(cwd, 'config'), ...env },
    });
  };
  return {
    start,
    async run(args, options = {}) {
      const process = start(args, options);
      process.end(options.stdin);
      return resultOf(process, await process.exited);
    },
  };
}

function resultOf({ stdout, stderr }: TestProcess, { code }: ProcessExit): CommandResult {
  const text = stdout.join('\n');
  return { exitCode: code, stdout: text, stderr: stderr.join('\n'), json: <T>() => JSON.parse(text) as T };
}
