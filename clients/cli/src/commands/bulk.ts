/** `rhizome cancel` and `rhizome retry`: jobs by id, or all jobs of a task. */
import { failedJobStates, liveJobStates } from '@rhizome/client/states';
import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { type Session, type World, printErrors, withSession } from '../command.js';
import { CliError, type ExitCode, exitCodes } from '../exit-codes.js';
import type { Finish } from '../flags.js';
import {
  CliCancelJobsDocument,
  CliRetryJobsDocument,
  type CliBulkResultFragment,
  type JobState,
} from '../operations.generated.js';
import { type Output, printLine, printJson } from '../output.js';

interface CancelFlags {
  readonly task?: string;
  readonly reason?: string;
}

interface RetryFlags {
  readonly task?: string;
  readonly dependents?: boolean;
  readonly key?: string;
}

const liveStates: JobState[] = [...liveJobStates];
const failedStates: JobState[] = [...failedJobStates];

/** Adds `cancel`. */
export function addCancel(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('cancel')
    .description('cancel jobs; running payloads are killed')
    .argument('[job...]', 'jobs')
    .option('-t, --task <id>', 'all live jobs of this task')
    .option('--reason <text>', "reason, shown in the jobs' history");
  command.action((ids: readonly string[], flags: CancelFlags) =>
    finish(withSession(command, world, (session) => cancel(session, ids, flags))),
  );
}

/** Adds `retry`. */
export function addRetry(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('retry')
    .description('submit a new job for each ended job')
    .argument('[job...]', 'jobs')
    .option('-t, --task <id>', 'all jobs of this task that did not finish')
    .option('--dependents', 'also the children that were closed because of them')
    .option('--key <key>', 'idempotency key: the same key never retries twice');
  command.action((ids: readonly string[], flags: RetryFlags) =>
    finish(withSession(command, world, (session) => retry(session, ids, flags))),
  );
}

function selection(ids: readonly string[], task: string | undefined, states: readonly JobState[]) {
  if (ids.length > 0 === (task !== undefined))
    throw new CliError(exitCodes.usage, 'Give jobs, or a task with --task');
  return task === undefined ? { ids: [...ids] } : { filter: { taskId: task, states: [...states] } };
}

async function cancel(
  { client, output }: Session,
  ids: readonly string[],
  { task, reason }: CancelFlags,
): Promise<ExitCode> {
  const input = {
    selection: selection(ids, task, liveStates),
    ...(reason === undefined ? {} : { reason }),
    idempotencyKey: randomUUID(),
  };
  const { cancelJobs } = await client.mutate(CliCancelJobsDocument, { input }, { idempotent: true });
  printErrors(output, cancelJobs.userErrors);
  return tellResult(output, 'cancelled', cancelJobs.result);
}

async function retry(
  { client, output }: Session,
  ids: readonly string[],
  { task, dependents, key }: RetryFlags,
): Promise<ExitCode> {
  const input = {
    selection: selection(ids, task, failedStates),
    includeDependents: dependents === true,
    idempotencyKey: key ?? randomUUID(),
  };
  const { retryJobs } = await client.mutate(CliRetryJobsDocument, { input }, { idempotent: true });
  printErrors(output, retryJobs.userErrors);
  if (output.json) printJson(output, { jobs: retryJobs.jobs, result: retryJobs.result });
  else for (const job of retryJobs.jobs) printLine(output, `${job.id}  retries ${job.retryOf?.id ?? '?'}`);
  return retryJobs.result && retryJobs.result.refusedCount === 0 ? exitCodes.ok : exitCodes.failed;
}

function tellResult(output: Output, done: string, result: CliBulkResultFragment | null): ExitCode {
  if (output.json) printJson(output, result);
  else if (result) {
    const refused = result.refusedByReason.map(({ code, count }) => `${count} ${code}`).join(', ');
    printLine(output, `${result.changedCount} ${done}${refused ? `; not changed: ${refused}` : ''}`);
    if (result.operation)
      printLine(
        output,
        `The remaining jobs are changed in the background by operation ${result.operation.id}`,
      );
  }
  return result && result.refusedCount === 0 ? exitCodes.ok : exitCodes.failed;
}
