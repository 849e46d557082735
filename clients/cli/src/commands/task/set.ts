/** `rhizome task set`: changes jobs of tasks that have not started. */
import type { Command } from 'commander';
import { type Session, type World, printErrors, withSession } from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import {
  type DryRunFlags,
  type Finish,
  numberOr,
  type OptionalNumber,
  wholeNumber,
} from '../../flags/flags.js';
import {
  CliChangeTaskDocument,
  type CliChangeTaskMutation,
  type TaskChangesInput,
} from '../../operations.generated.js';
import { type Output, printJson, printLine } from '../../output.js';
import { largestJob } from '../../flags/size-flags.js';
import { printJobs } from './affected-jobs.js';
import { valuesText } from './change-text.js';

interface SetFlags extends DryRunFlags {
  readonly priority?: number;
  readonly memory?: number;
  readonly walltime?: number;
  readonly disk?: number;
  readonly attempts?: number;
  readonly queue?: string;
  readonly anyQueue?: true;
  readonly share?: string;
  readonly maxRunning?: OptionalNumber;
  readonly reason?: string;
}

/** Adds the command. */
export function addSet(group: Command, world: World, finish: Finish): void {
  const command = group
    .command('set')
    .description('change the jobs of tasks that have not started; jobs that were sent keep their values')
    .argument('<task...>', 'task ids')
    .option('--priority <number>', 'priority', wholeNumber(-1000, 1000))
    .option('--memory <MiB>', 'memory of a job', wholeNumber(1, largestJob.memoryMiB))
    .option('--walltime <seconds>', 'longest run time of a job', wholeNumber(1, largestJob.walltimeSeconds))
    .option('--disk <MiB>', 'scratch space of a job', wholeNumber(0, largestJob.diskMiB))
    .option('--attempts <number>', 'maximum number of attempts of a job', wholeNumber(1, 20))
    .option('--queue <name>', 'run the jobs on this queue only')
    .option('--any-queue', 'run the jobs on any queue')
    .option('--share <share>', 'share that the jobs are charged to')
    .option(
      '--max-running <number|none>',
      'run at most this number of jobs at a time',
      numberOr('none', 1, 1_000_000),
    )
    .option('--reason <text>', 'reason, shown with the task and its jobs')
    .option('--dry-run', 'change nothing, and print how many jobs it would affect, and which');
  command.action((ids: readonly string[], flags: SetFlags) =>
    finish(withSession(command, world, (session) => set(session, ids, flags))),
  );
}

async function set({ client, output }: Session, ids: readonly string[], flags: SetFlags): Promise<ExitCode> {
  const { reason, dryRun = false } = flags;
  const answers = [];
  const changes = changesOf(flags);
  for (const taskId of ids) {
    const input = { taskId, changes, isDryRun: dryRun, reason };
    const { changeTask: answer } = await client.mutate(
      CliChangeTaskDocument,
      { input },
      { idempotent: false },
    );
    printErrors(output, answer.userErrors);
    if (!answer.task) continue;
    answers.push(answer);
    if (!output.json) print(output, answer, dryRun);
  }
  if (output.json) printJson(output, answers);
  return answers.length === ids.length ? exitCodes.ok : exitCodes.failed;
}

function changesOf(flags: SetFlags): TaskChangesInput {
  return {
    priority: flags.priority,
    memoryMiB: flags.memory,
    walltimeSeconds: flags.walltime,
    diskMiB: flags.disk,
    maxAttempts: flags.attempts,
    queue: flags.anyQueue ? null : flags.queue,
    share: flags.share,
    maxRunningJobs: flags.maxRunning?.value,
  };
}

function print(
  output: Output,
  { task, change, effect, laterJobCount }: CliChangeTaskMutation['changeTask'],
  dryRun: boolean,
): void {
  if (!task || !change || !effect) return;
  const later = laterJobCount ? `, and ${laterJobCount} that do not exist yet` : '';
  const verb = dryRun ? 'would be changed' : 'are being changed';
  const jobs = `${effect.jobCount} ${effect.jobCount === 1 ? 'job' : 'jobs'} that wait${later}`;
  printLine(output, `${task.id}  ${task.state}  ${jobs} ${verb}: ${valuesText(change)}`);
  if (dryRun) printJobs(output, effect);
}
