/** Flags of tasks whose jobs process the files of a dataset. */
import { type Command, InvalidArgumentError } from 'commander';
import { CliError, exitCodes } from '../exit-codes.js';
import type { DatasetSplit, TaskDatasetInput } from '../operations.generated.js';
import { wholeNumber } from './flags.js';

/** The flags. */
export interface DatasetFlags {
  readonly dataset?: string;
  readonly split?: Pick<TaskDatasetInput, 'by' | 'perJob'>;
  readonly maxJobs?: number;
  readonly locality?: number;
}

const splits: readonly DatasetSplit[] = ['FILES', 'EVENTS', 'BYTES', 'KEY'];

/** Adds the flags. */
export function withDataset(command: Command): Command {
  return command
    .option(
      '--dataset <id>',
      'submit a task whose jobs get the files of this closed dataset as inputs; {{key}}, {{fileCount}} and {{eventCount}} are replaced in arguments',
    )
    .option(
      '--split <measure[=n]>',
      'with --dataset: most files, events or bytes of a job, such as FILES=10, EVENTS=5000 or BYTES=2000000000, or KEY (default: FILES=1)',
      splitOf,
    )
    .option(
      '--max-jobs <n>',
      'with --dataset: largest number of jobs; the files after them are left out',
      wholeNumber(1, 1_000_000),
    )
    .option(
      '--locality <weight>',
      'with --dataset: weight of the preference for queues near the files, 0 to 100 (default: 10)',
      wholeNumber(0, 100),
    );
}

function splitOf(text: string): NonNullable<DatasetFlags['split']> {
  const [, measure = '', amount] = /^([A-Za-z]+)(?:=(\d{1,16}))?$/.exec(text) ?? [];
  const by = splits.find((one) => one === measure.toUpperCase());
  if (by === undefined)
    throw new InvalidArgumentError(`Must be one of ${splits.join(', ')}, with =N apart from KEY.`);
  return { by, ...(amount === undefined ? {} : { perJob: Number(amount) }) };
}

/** Dataset of the flags; undefined without one. @throws CliError for flags that need `--dataset` */
export function datasetOf({ dataset, split, maxJobs, locality }: DatasetFlags): TaskDatasetInput | undefined {
  if (dataset !== undefined)
    return {
      ...{ datasetId: dataset, ...split },
      ...(maxJobs === undefined ? {} : { maxJobs }),
      ...(locality === undefined ? {} : { localityWeight: locality }),
    };
  if (split !== undefined || maxJobs !== undefined || locality !== undefined)
    throw new CliError(exitCodes.usage, '--split, --max-jobs and --locality need --dataset');
  return undefined;
}
