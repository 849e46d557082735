/** `rhizome admin migrations`: the state of the migrations. */
import type { Command } from 'commander';
import type { World } from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import type { Finish } from '../../flags/flags.js';
import { type Output, printJson, printTable } from '../../output.js';
import { type DatabaseFlags, outputOf, withDeployment, withStoreFlags } from './store.js';

/** Adds the command. */
export function addMigrations(group: Command, world: World, finish: Finish): void {
  const command = withStoreFlags(
    group
      .command('migrations')
      .description('list the migrations of each database; services run them when they start'),
  );
  command.action((flags: DatabaseFlags) =>
    finish(listMigrations(flags, outputOf(command, world), world.cwd)),
  );
}

/** Exit code 1 if a migration has not been applied. */
function listMigrations(flags: DatabaseFlags, output: Output, cwd: string): Promise<ExitCode> {
  return withDeployment(flags, cwd, async (deployment) => {
    const found = await deployment.migrations(flags.database);
    if (output.json) printJson(output, found);
    else
      printTable(
        output,
        ['DATABASE', 'APPLIED', 'LATEST', 'NOT APPLIED', 'RUN BY'],
        found.map(({ database, applied, pending, runBy }) => [
          database,
          String(applied.length),
          applied.at(-1) ?? '',
          pending.join(', '),
          runBy ?? '',
        ]),
      );
    return found.some(({ pending }) => pending.length > 0) ? exitCodes.failed : exitCodes.ok;
  });
}
