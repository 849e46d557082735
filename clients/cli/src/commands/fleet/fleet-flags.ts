/** Flags for the settings and the jobs of a fleet. */
import { type Command, InvalidArgumentError } from 'commander';
import { CliError, exitCodes } from '../../exit-codes.js';
import { collectPairs, givenFlags, type Pair, pairOf, wholeNumber } from '../../flags/flags.js';
import type { FleetJobInput, FleetQueueLimitInput, FleetSettingsInput } from '../../operations.generated.js';
import { type SizeFlags, sizeOf, withSize } from '../../flags/size-flags.js';

/** Flags of settings. */
export interface SettingsFlags {
  readonly min?: number;
  readonly max?: number;
  readonly lag?: number;
  readonly upCooldown?: number;
  readonly downCooldown?: number;
  readonly idle?: number;
  readonly drainTime?: number;
  readonly queue: readonly FleetQueueLimitInput[];
}

/** Flags of jobs. */
export interface FleetJobFlags extends SizeFlags {
  readonly jobName?: string;
  readonly priority?: number;
  readonly label: readonly Pair[];
  readonly env: readonly Pair[];
  readonly selector?: string;
  readonly image?: string;
  readonly attempts?: number;
}

/** Longest time of a setting, in seconds. */
export const day = 86_400;
/** Most jobs of a fleet. */
export const mostJobs = 2000;

/** Adds the flags of settings. */
export function withSettings(command: Command): Command {
  return command
    .option('--min <n>', 'fewest jobs', wholeNumber(0, mostJobs))
    .option('--max <n>', 'most jobs', wholeNumber(1, mostJobs))
    .option('--lag <seconds>', 'lag above which jobs are added', wholeNumber(1, day))
    .option('--up-cooldown <seconds>', 'least time before an increase', wholeNumber(0, day))
    .option('--down-cooldown <seconds>', 'least time before a decrease', wholeNumber(0, day))
    .option('--idle <seconds>', 'time without units after which a job is released', wholeNumber(1, day))
    .option('--drain-time <seconds>', 'time in which a released job must end', wholeNumber(1, day))
    .option(
      '--queue <name=max>',
      'queue of the jobs, with the most there; may be repeated',
      collectQueues,
      [],
    );
}

/** Adds the flags of jobs. */
export function withJobs(command: Command): Command {
  command
    .option('--job-name <name>', 'name of the jobs (default: the command)')
    .option('--priority <n>', 'priority from -1000 to 1000; larger runs earlier', wholeNumber(-1000, 1000))
    .option('-l, --label <key=value>', 'label of the jobs; may be repeated', collectPairs, [])
    .option('--env <name=value>', 'environment variable; may be repeated', collectPairs, []);
  return withSize(command)
    .option('--selector <cel>', 'condition on workers')
    .option('--image <image>', 'container image')
    .option('--attempts <n>', 'largest number of attempts of a job, 1 to 20', wholeNumber(1, 20));
}

/** The settings that are given; undefined for none. */
export function settingsOf(flags: SettingsFlags): FleetSettingsInput | undefined {
  const settings: FleetSettingsInput = {
    min: flags.min,
    max: flags.max,
    targetLagSeconds: flags.lag,
    upCooldownSeconds: flags.upCooldown,
    downCooldownSeconds: flags.downCooldown,
    idleSeconds: flags.idle,
    drainSeconds: flags.drainTime,
    queues: flags.queue.length > 0 ? [...flags.queue] : undefined,
  };
  return Object.values(settings).some((value) => value !== undefined) ? settings : undefined;
}

/** The jobs that run a command. */
export function jobOf(
  [command = '', ...rest]: readonly string[],
  { jobName, priority, label, env, selector, image, attempts, ...size }: FleetJobFlags,
): FleetJobInput {
  return {
    name: jobName ?? command,
    priority,
    labels: [...label],
    requirements: { ...sizeOf(size), selector },
    payload: {
      command,
      arguments: rest,
      environment: env.map(({ key: name, value }) => ({ name, value })),
      image,
    },
    ...(attempts === undefined ? {} : { retry: { maxAttempts: attempts } }),
  };
}

function collectQueues(
  text: string,
  before: readonly FleetQueueLimitInput[],
): readonly FleetQueueLimitInput[] {
  const { key: queue, value } = pairOf(text);
  const max = Number(value);
  if (!Number.isInteger(max) || max < 1 || max > mostJobs)
    throw new InvalidArgumentError(`Must be name=max, with a whole number from 1 to ${mostJobs}.`);
  return [...before, { queue, max }];
}

const jobFlags = [
  ...(['priority', 'cores', 'memory', 'disk', 'walltime', 'selector', 'image', 'attempts'] as const),
  ...(['jobName', 'label', 'env'] as const),
];

/** @throws CliError for flags of jobs that are given without a command of the jobs */
export function refuseJobFlags(flags: FleetJobFlags): void {
  const [given] = givenFlags(flags, jobFlags);
  if (given === undefined) return;
  const text = `${given} is for a new version of the jobs: give their command, too, and all of its flags`;
  throw new CliError(exitCodes.usage, text);
}
