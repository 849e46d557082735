/** `rhizome task end-scouting`: creates the other jobs of tasks before all scouts have ended. */
import type { Command } from 'commander';
import { type Session, type World, printErrors, withSession } from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import { type DryRunFlags, type Finish, wholeNumber } from '../../flags/flags.js';
import { CliEndScoutingDocument } from '../../operations.generated.js';
import { printJson, printLine } from '../../output.js';
import { largestJob } from '../../flags/size-flags.js';
import { printScoutResult } from './scout-result.js';

interface EndScoutingFlags extends DryRunFlags {
  readonly memory?: number;
  readonly walltime?: number;
  readonly disk?: number;
  readonly reason?: string;
}

/** Adds the command. */
export function addEndScouting(group: Command, world: World, finish: Finish): void {
  const command = group
    .command('end-scouting')
    .description('create the other jobs of a task before its scouts have ended')
    .argument('<task>', 'task id')
    .option('--memory <MiB>', 'memory of the other jobs', wholeNumber(1, largestJob.memoryMiB))
    .option(
      '--walltime <seconds>',
      'longest run time of the other jobs',
      wholeNumber(1, largestJob.walltimeSeconds),
    )
    .option('--disk <MiB>', 'scratch space of the other jobs', wholeNumber(0, largestJob.diskMiB))
    .option('--reason <text>', 'reason, shown with the result of the scouts')
    .option('--dry-run', 'change nothing, and print the requirements that the other jobs would get');
  command.action((id: string, flags: EndScoutingFlags) =>
    finish(withSession(command, world, (session) => endScouting(session, id, flags))),
  );
}

async function endScouting(
  { client, output }: Session,
  taskId: string,
  { memory, walltime, disk, reason, dryRun = false }: EndScoutingFlags,
): Promise<ExitCode> {
  const requirements = {
    ...(memory === undefined ? {} : { memoryMiB: memory }),
    ...(walltime === undefined ? {} : { walltimeSeconds: walltime }),
    ...(disk === undefined ? {} : { diskMiB: disk }),
  };
  const given = reason === undefined ? {} : { reason };
  const input = { taskId, requirements, isDryRun: dryRun, ...given };
  const { endScouting: answer } = await client.mutate(
    CliEndScoutingDocument,
    { input },
    { idempotent: false },
  );
  const { task, result, jobCount, userErrors } = answer;
  printErrors(output, userErrors);
  if (!task || !result) return exitCodes.failed;
  if (output.json) {
    printJson(output, answer);
    return exitCodes.ok;
  }
  const verb = dryRun ? 'would be created' : 'are created';
  printLine(output, `${task.id}  ${task.state}  ${jobCount ?? 0} jobs ${verb} with these requirements:`);
  printScoutResult(output, result);
  return exitCodes.ok;
}
