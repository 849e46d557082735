/** The playground's flags. */
import { resolve } from 'node:path';
import type { GpuKind } from './gpus.js';
import { Command, InvalidArgumentError, Option } from 'commander';

/** How subgraphs are reached. */
export type TransportKind = 'in-process' | 'http';

/** What the playground is asked to do. */
export interface PlaygroundOptions {
  /** Forget all data first. */
  readonly reset: boolean;
  /** End after the tour; the exit code tells whether it went well. */
  readonly once: boolean;
  /** The gateway's port; 0 takes a free one. */
  readonly port: number;
  /** Absolute path of the data folder. */
  readonly data: string;
  /** How many pilots to start. */
  readonly pilots: number;
  readonly transport: TransportKind;
  readonly tour: boolean;
  /** Whether pilots present a small simulated fleet, those of files, or the GPUs of this machine. */
  readonly gpus: GpuKind;
  /** Absolute paths of files with devices, for one pilot after the other. */
  readonly gpuFiles: readonly string[];
}

/** Parses the command line; prints help or a fault and ends the process where Commander does. */
export function parseOptions(argv: readonly string[], cwd: string): PlaygroundOptions {
  const command = new Command('npm run playground --')
    .description(
      'Starts core, the experiments, the gateway and pilots on this machine, and runs a tour with real jobs.',
    )
    .option('--reset', 'forget all data of earlier starts first', false)
    .option(
      '--once',
      'end after the tour: exit code 0 only if every job FINISHED and the fitted peak is right',
      false,
    )
    .option(
      '--port <n>',
      'port of the gateway on 127.0.0.1; 0 takes a free one',
      whole('port', 0, 65_535),
      4000,
    )
    .option('--data <dir>', 'folder for data, tokens and logs', '.rhizome')
    .option('--pilots <n>', 'pilots to start', whole('pilots', 0, 64), 2)
    .addOption(
      new Option('--transport <kind>', 'how subgraphs are reached')
        .choices(['in-process', 'http'])
        .default('in-process'),
    )
    .addOption(
      new Option('--gpus <kind>', 'present a small fleet of simulated GPUs, or those of this machine')
        .choices(['simulated', 'host'])
        .default('simulated'),
    )
    .option(
      '--gpu-simulate <file>',
      'present the devices of this JSON file by the first pilot, of a second one by the second, and so on (docs/reference/gpus.md)',
      (file, files: readonly string[]) => [...files, resolve(cwd, file)],
      [] as readonly string[],
    )
    .option('--no-tour', 'start everything, but submit nothing');
  const { data, gpuSimulate, ...rest } = command
    .parse([...argv], { from: 'user' })
    .opts<Omit<PlaygroundOptions, 'gpuFiles'> & { readonly gpuSimulate: readonly string[] }>();
  if (rest.once && !rest.tour)
    command.error('error: --once ends after the tour, so it cannot go with --no-tour');
  if (rest.tour && rest.pilots === 0)
    command.error('error: --pilots 0 runs nothing, so it needs --no-tour: the tour would never end');
  if (gpuSimulate.length > rest.pilots)
    command.error(
      `error: --gpu-simulate was given ${gpuSimulate.length} times, and there are ${rest.pilots} pilots to present the files`,
    );
  const gpus = gpuSimulate.length > 0 ? 'files' : rest.gpus;
  return { ...rest, gpus, gpuFiles: gpuSimulate, data: resolve(cwd, data) };
}

function whole(name: string, minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= minimum && value <= maximum && text.trim() !== '') return value;
    throw new InvalidArgumentError(`--${name} must be a whole number from ${minimum} to ${maximum}.`);
  };
}
