/** `rhizome retry`: new jobs for ended ones, as they were or with changes. */
import { failedJobStates } from '@rhizome/client/states';
import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { type Session, type World, printErrors, withSession } from '../command.js';
import { CliError, type ExitCode, exitCodes } from '../exit-codes.js';
import { type ChangeFlags, changesOf, withChanges } from '../flags/change-flags.js';
import type { Finish } from '../flags/flags.js';
import { CliRetryJobsDocument, type JobState } from '../operations.generated.js';
import { printJson, printLine } from '../output.js';

interface RetryFlags extends ChangeFlags {
  readonly task?: string;
  readonly dependents?: boolean;
  readonly unlessRetried?: boolean;
  readonly checkpoints?: boolean;
  readonly key?: string;
}

const failedStates: JobState[] = [...failedJobStates];

/** Adds the command. */
export function addRetry(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('retry')
    .description('submit a new job for each ended job, as it was or with changes')
    .argument('[job...]', 'jobs')
    .option('-t, --task <id>', 'all jobs of this task that did not finish')
    .option('--dependents', 'also the children that were closed because of them, as they were')
    .option('--unless-retried', 'leave out jobs that were retried before, by anyone')
    .option('--checkpoints', 'continue from the checkpoints also with another image or command')
    .option('--no-checkpoints', 'begin at the start')
    .option('--key <key>', 'idempotency key: the same key never retries twice');
  withChanges(command);
  command.action((ids: readonly string[], flags: RetryFlags) =>
    finish(withSession(command, world, (session) => retry(session, ids, flags))),
  );
}

async function retry(
  { client, output }: Session,
  ids: readonly string[],
  flags: RetryFlags,
): Promise<ExitCode> {
  const { task, dependents, unlessRetried, checkpoints, key } = flags;
  if (ids.length > 0 === (task !== undefined))
    throw new CliError(exitCodes.usage, 'Give jobs, or a task with --task');
  const changes = changesOf(flags);
  const input = {
    selection: task === undefined ? { ids: [...ids] } : { filter: { taskIds: [task], states: failedStates } },
    isWithDependents: dependents === true,
    ...(unlessRetried === undefined ? {} : { isUnlessRetried: unlessRetried }),
    idempotencyKey: key ?? randomUUID(),
    ...(changes === undefined ? {} : { changes }),
    ...(checkpoints === undefined ? {} : { isWithCheckpoints: checkpoints }),
  };
  const { retryJobs } = await client.mutate(CliRetryJobsDocument, { input }, { idempotent: true });
  printErrors(output, retryJobs.userErrors);
  if (output.json) printJson(output, { jobs: retryJobs.jobs, result: retryJobs.result });
  else for (const job of retryJobs.jobs) printLine(output, `${job.id}  retries ${job.retryOf?.id ?? '?'}`);
  return retryJobs.result && retryJobs.result.refusedCount === 0 ? exitCodes.ok : exitCodes.failed;
}
