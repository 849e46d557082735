/** `rhizome queue canary`: the canary jobs of a queue. */
import type { Command } from 'commander';
import { printErrors, type Session, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { type Finish, wholeNumber } from '../../flags/flags.js';
import { CliUpdateQueueDocument } from '../../operations.generated.js';
import { printQueue } from './queue-fields.js';

interface CanaryFlags {
  readonly share?: string;
  readonly interval: number;
  readonly image?: string;
  readonly cores?: number;
  readonly memory?: number;
  readonly walltime?: number;
  readonly off?: true;
}

/** Adds the command to the group of queues. */
export function addCanary(queues: Command, world: World, finish: Finish): void {
  const amount = wholeNumber(1, 2_147_483_647);
  const command = queues
    .command('canary')
    .description('set the canary jobs of a queue, which show whether it runs jobs, or end them')
    .argument('<name>', 'name of the queue')
    .argument('[command...]', 'program of the jobs and its arguments, after --')
    .option('--share <path>', 'share that they are charged to, such as alpha/default')
    .option('--interval <seconds>', 'time between the starts of two jobs', amount, 3600)
    .option('--image <image>', 'container image of the jobs')
    .option('--cores <n>', 'cores of a job (default: 1)', amount)
    .option('--memory <MiB>', 'memory of a job (default: 512)', amount)
    .option('--walltime <seconds>', 'walltime of a job (default: 600)', amount)
    .option('--off', 'end the canary jobs');
  command.action((name: string, words: readonly string[], flags: CanaryFlags) =>
    finish(withSession(command, world, (session) => setCanary(session, name, words, flags))),
  );
}

async function setCanary(
  { client, output }: Session,
  name: string,
  words: readonly string[],
  flags: CanaryFlags,
): Promise<ExitCode> {
  const input = { name, canary: flags.off ? null : canaryOf(words, flags) };
  const { updateQueue } = await client.mutate(CliUpdateQueueDocument, { input }, { idempotent: true });
  printErrors(output, updateQueue.userErrors);
  return printQueue(output, updateQueue.queue);
}

function canaryOf([program, ...rest]: readonly string[], flags: CanaryFlags) {
  const { share, interval: intervalSeconds, image, cores, memory, walltime } = flags;
  if (program === undefined)
    throw new CliError(exitCodes.usage, 'queue canary needs the command of the jobs after --, or --off');
  const [experiment = ''] = share?.split('/') ?? [];
  if (share === undefined || !share.includes('/'))
    throw new CliError(
      exitCodes.usage,
      'queue canary needs --share with the path of a share, such as alpha/default',
    );
  return {
    ...{ experiment, share, intervalSeconds, command: program, arguments: [...rest] },
    ...{ image, cores, memoryMiB: memory, walltimeSeconds: walltime },
  };
}
