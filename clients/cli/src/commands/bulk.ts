/** `rhizome cancel`, `hold`, `release`, `priority`, and `bulk` to follow a large change. */
import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { type Session, type World, printErrors, withSession } from '../command.js';
import { CliError, type ExitCode, exitCodes } from '../exit-codes.js';
import { type Finish, wholeNumber } from '../flags/flags.js';
import {
  CliBulkOperationDocument,
  CliCancelJobsDocument,
  CliHoldJobsDocument,
  CliReleaseJobsDocument,
  CliSetJobPriorityDocument,
  type CliBulkResultFragment,
} from '../operations.generated.js';
import { type Output, printFields, printJson, printLine } from '../output.js';
import { addSelection, selectionOf, type SelectionFlags } from '../selection.js';

interface CancelFlags extends SelectionFlags {
  readonly reason?: string;
}

interface HoldFlags extends SelectionFlags {
  readonly reason: string;
}

/** Adds `cancel`. */
export function addCancel(program: Command, world: World, finish: Finish): void {
  const command = addSelection(program.command('cancel'))
    .description('cancel jobs; running payloads are killed')
    .option('--reason <text>', "reason, shown in the jobs' history");
  command.action((ids: readonly string[], flags: CancelFlags) =>
    finish(withSession(command, world, (session) => cancel(session, ids, flags))),
  );
}

/** Adds `hold`. */
export function addHold(program: Command, world: World, finish: Finish): void {
  const command = addSelection(program.command('hold'))
    .description('hold jobs: they do not start until they are released')
    .requiredOption('--reason <text>', "reason, shown in the jobs' history");
  command.action((ids: readonly string[], flags: HoldFlags) =>
    finish(withSession(command, world, (session) => hold(session, ids, flags))),
  );
}

/** Adds `release`. */
export function addRelease(program: Command, world: World, finish: Finish): void {
  const command = addSelection(program.command('release')).description('release held jobs');
  command.action((ids: readonly string[], flags: SelectionFlags) =>
    finish(withSession(command, world, (session) => release(session, ids, flags))),
  );
}

/** Adds `priority`. */
export function addPriority(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('priority')
    .description('change the priority of jobs within their share; larger runs earlier')
    .argument('<priority>', 'priority from -1000 to 1000; negative ones after --', wholeNumber(-1000, 1000));
  addSelection(command);
  command.action((priority: number, ids: readonly string[], flags: SelectionFlags) =>
    finish(withSession(command, world, (session) => setPriority(session, priority, ids, flags))),
  );
}

/** Adds `bulk`. */
export function addBulk(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('bulk')
    .description('show the progress of a change that continues in the background')
    .argument('<operation>', 'operation id, as printed by cancel, hold, release and priority');
  command.action((id: string) =>
    finish(withSession(command, world, (session) => showOperation(session, id))),
  );
}

async function cancel(
  { client, output }: Session,
  ids: readonly string[],
  flags: CancelFlags,
): Promise<ExitCode> {
  const input = {
    selection: selectionOf(ids, flags),
    ...(flags.reason === undefined ? {} : { reason: flags.reason }),
    idempotencyKey: randomUUID(),
  };
  const { cancelJobs } = await client.mutate(CliCancelJobsDocument, { input }, { idempotent: true });
  printErrors(output, cancelJobs.userErrors);
  return printResult(output, 'cancelled', cancelJobs.result);
}

async function hold(
  { client, output }: Session,
  ids: readonly string[],
  flags: HoldFlags,
): Promise<ExitCode> {
  const input = {
    selection: selectionOf(ids, flags),
    reason: flags.reason,
    idempotencyKey: randomUUID(),
  };
  const { holdJobs } = await client.mutate(CliHoldJobsDocument, { input }, { idempotent: true });
  printErrors(output, holdJobs.userErrors);
  return printResult(output, 'held', holdJobs.result);
}

async function release(
  { client, output }: Session,
  ids: readonly string[],
  flags: SelectionFlags,
): Promise<ExitCode> {
  const input = { selection: selectionOf(ids, flags), idempotencyKey: randomUUID() };
  const { releaseJobs } = await client.mutate(CliReleaseJobsDocument, { input }, { idempotent: true });
  printErrors(output, releaseJobs.userErrors);
  return printResult(output, 'released', releaseJobs.result);
}

async function setPriority(
  { client, output }: Session,
  priority: number,
  ids: readonly string[],
  flags: SelectionFlags,
): Promise<ExitCode> {
  const input = { selection: selectionOf(ids, flags), priority, idempotencyKey: randomUUID() };
  const { setJobPriority } = await client.mutate(CliSetJobPriorityDocument, { input }, { idempotent: true });
  printErrors(output, setJobPriority.userErrors);
  return printResult(output, `set to priority ${priority}`, setJobPriority.result);
}

async function showOperation({ client, output }: Session, id: string): Promise<ExitCode> {
  const { bulkOperation } = await client.query(CliBulkOperationDocument, { id });
  if (!bulkOperation)
    throw new CliError(exitCodes.notFound, `Operation "${id}" not found, or you may not see it.`);
  if (output.json) printJson(output, bulkOperation);
  else
    printFields(output, [
      ['operation', bulkOperation.id],
      ['kind', bulkOperation.kind],
      ['state', bulkOperation.state],
      ['jobs', bulkOperation.totalCount],
      ['changed', bulkOperation.changedCount],
      ['refused', refusalsOf(bulkOperation.refusedByReason)],
      ['started', bulkOperation.createdAt],
      ['ended', bulkOperation.endedAt],
    ]);
  return exitCodes.ok;
}

function printResult(output: Output, done: string, result: CliBulkResultFragment | null): ExitCode {
  if (output.json) printJson(output, result);
  else if (result) {
    const refused = refusalsOf(result.refusedByReason);
    printLine(output, `${result.changedCount} ${done}${refused ? `; not changed: ${refused}` : ''}`);
    if (result.operation)
      printLine(
        output,
        `The remaining jobs are changed in the background by operation ${result.operation.id}`,
      );
  }
  return result && result.refusedCount === 0 ? exitCodes.ok : exitCodes.failed;
}

function refusalsOf(reasons: CliBulkResultFragment['refusedByReason']): string {
  return reasons.map(({ code, count }) => `${count} ${code}`).join(', ');
}
