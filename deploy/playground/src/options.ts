/** Command-line options of the playground. */
import { resolve } from 'node:path';
import type { GpuKind } from './gpus.js';
import { Command, InvalidArgumentError, Option } from 'commander';

/** Connection of the gateway to the subgraphs. */
export type TransportKind = 'in-process' | 'http';

/** Options of a run. */
export interface PlaygroundOptions {
  /** Delete all data first. */
  readonly reset: boolean;
  /** Stop after the tour; the exit code says whether it succeeded. */
  readonly once: boolean;
  /** Port of the gateway; 0 takes a free one. */
  readonly port: number;
  /** Absolute path of the data folder. */
  readonly data: string;
  /** Number of pilots. */
  readonly pilots: number;
  readonly transport: TransportKind;
  readonly tour: boolean;
  /** Source of the GPUs that pilots report: simulated, files, or this machine. */
  readonly gpus: GpuKind;
  /** Absolute paths of folders that payloads may read. */
  readonly readableFolder: readonly string[];
  /** Absolute paths of files with devices, one for each pilot in order. */
  readonly gpuFiles: readonly string[];
}

/** Parses the command line. Commander prints help or an error and ends the process. */
export function parseOptions(argv: readonly string[], cwd: string): PlaygroundOptions {
  const command = new Command('npm run playground --')
    .description(
      'Starts core, the experiments, the gateway and pilots on this machine, and runs a tour with real jobs.',
    )
    .option('--reset', 'delete all data of earlier runs first', false)
    .option(
      '--once',
      'stop after the tour: exit code 0 only if every job FINISHED and the fitted peak is right',
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
      new Option('--gpus <kind>', 'report simulated GPUs, or those of this machine')
        .choices(['simulated', 'host'])
        .default('simulated'),
    )
    .option(
      '--gpu-simulate <file>',
      'report the devices of this JSON file by the first pilot; a second file is for the second pilot, and so on (docs/reference/gpus.md)',
      (file, files: readonly string[]) => [...files, resolve(cwd, file)],
      [] as readonly string[],
    )
    .option(
      '--readable-folder <path>',
      'folder that payloads may read; may be repeated',
      (path, paths: readonly string[]) => [...paths, resolve(cwd, path)],
      [] as readonly string[],
    )
    .option('--no-tour', 'start everything, but submit nothing');
  const { data, gpuSimulate, ...rest } = command
    .parse([...argv], { from: 'user' })
    .opts<Omit<PlaygroundOptions, 'gpuFiles'> & { readonly gpuSimulate: readonly string[] }>();
  if (rest.once && !rest.tour)
    command.error('error: --once stops after the tour, so it cannot be combined with --no-tour');
  if (rest.tour && rest.pilots === 0)
    command.error('error: --pilots 0 runs no jobs, so the tour would never end; add --no-tour');
  if (gpuSimulate.length > rest.pilots)
    command.error(
      `error: --gpu-simulate: given ${gpuSimulate.length} times, but there are ${rest.pilots} pilots; must be at most one for each pilot`,
    );
  const gpus = gpuSimulate.length > 0 ? 'files' : rest.gpus;
  return { ...rest, gpus, gpuFiles: gpuSimulate, data: resolve(cwd, data) };
}

function whole(name: string, minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= minimum && value <= maximum && text.trim() !== '') return value;
    throw new InvalidArgumentError(`--${name}: must be a whole number from ${minimum} to ${maximum}.`);
  };
}
