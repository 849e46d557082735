/** `rhizome admin init`: the database users of the services. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { World } from '../../command.js';
import { type StoreFlags, storeUri } from '../../config.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collect, collectPairs, type Finish, type Pair } from '../../flags/flags.js';
import { type Output, printJson, printLine, printTable } from '../../output.js';
import { outputOf, withDeployment, withStoreFile } from './store.js';

interface InitFlags extends StoreFlags {
  readonly experiment: readonly string[];
  readonly service: readonly Pair[];
  readonly resetPasswords?: boolean;
  readonly dryRun?: boolean;
}

/** Databases of the services that each deployment has. */
const always: Readonly<Record<string, readonly string[]>> = {
  core: ['core'],
  gateway: ['gateway', 'identity'],
};
const databaseName = /^[A-Za-z0-9_-]{1,63}$/;
/** Databases of MongoDB itself: rights on them are rights on all. */
const ofServer = new Set(['admin', 'config', 'local']);
const experimentName = /^[a-z][a-z0-9]{0,31}$/;

/** Adds the command. */
export function addInit(group: Command, world: World, finish: Finish): void {
  const command = withStoreFile(
    group
      .command('init')
      .argument('<folder>', 'folder for the files with connection strings, one for each service, mode 0600')
      .description('make the database users of core, the gateway and experiments; may be repeated')
      .option(
        '--experiment <name>',
        'also a user NAME for the database exp_NAME; may be repeated',
        collect,
        [],
      )
      .option(
        '--service <user=databases>',
        'also this user for these databases, separated by ","; may be repeated, replaces a default',
        collectPairs,
        [],
      )
      .option('--reset-passwords', 'give users whose password is not in its file a new one')
      .option('--dry-run', 'show what would be done'),
  );
  command.action((folder: string, flags: InitFlags) =>
    finish(init(resolve(world.cwd, folder), flags, outputOf(command, world), world.cwd)),
  );
}

function init(folder: string, flags: InitFlags, output: Output, cwd: string): Promise<ExitCode> {
  const services = servicesOf(flags);
  return withDeployment(flags, cwd, async (deployment) => {
    const dryRun = flags.dryRun === true;
    const users = await deployment.initUsers({
      uri: storeUri(flags, cwd),
      folder,
      services,
      resetPasswords: flags.resetPasswords === true,
      dryRun,
    });
    if (output.json) printJson(output, { dryRun, users });
    else {
      printTable(
        output,
        ['USER', 'DATABASES', 'FILE', 'DONE'],
        users.map(({ user, databases, file, actions }) => [
          user,
          databases.join(', '),
          file,
          actions.join(', '),
        ]),
      );
      if (dryRun) printLine(output, 'Nothing was changed.');
    }
    return exitCodes.ok;
  });
}

/** @throws CliError if a name cannot be that of an experiment or database */
function servicesOf({ experiment, service }: InitFlags): Readonly<Record<string, readonly string[]>> {
  const wrong = experiment.find((name) => !experimentName.test(name));
  if (wrong !== undefined)
    throw new CliError(
      exitCodes.usage,
      `--experiment ${wrong}: must be a small letter, then small letters and digits, at most 32`,
    );
  const taken = experiment.find((name) => Object.hasOwn(always, name));
  if (taken !== undefined)
    throw new CliError(exitCodes.usage, `--experiment ${taken}: is the name of a service of Rhizome`);
  const own = service.map(({ key, value }) => [key, value.split(',').filter((name) => name !== '')] as const);
  const empty = own.find(([, databases]) => databases.length === 0);
  if (empty) throw new CliError(exitCodes.usage, `--service ${empty[0]}: must name at least one database`);
  for (const [user, databases] of own) {
    const bad = databases.find((name) => !databaseName.test(name) || ofServer.has(name));
    if (bad !== undefined)
      throw new CliError(
        exitCodes.usage,
        `--service ${user}=${bad}: must be letters, digits, "_" and "-", at most 63, and no database of MongoDB itself`,
      );
  }
  return {
    ...always,
    ...Object.fromEntries(experiment.map((name) => [name, [`exp_${name}`]])),
    ...Object.fromEntries(own),
  };
}
