/** `rhizome admin backup` and `rhizome admin restore`. */
import { resolve } from 'node:path';
import type { Backup, Progress, RestoredDatabase } from '@rhizome/deployment';
import type { Command } from 'commander';
import type { World } from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import type { Finish } from '../../flags/flags.js';
import { bytes, type Output, plural, printJson, printLine, printTable } from '../../output.js';
import { type DatabaseFlags, outputOf, withDeployment, withStoreFlags } from './store.js';

interface RestoreFlags extends DatabaseFlags {
  readonly as: string;
  readonly replace?: boolean;
  readonly digest?: string;
  readonly dryRun?: boolean;
}

/** Time between two lines of progress, in milliseconds. */
const progressMs = 2000;

/** Adds the commands. */
export function addBackup(group: Command, world: World, finish: Finish): void {
  const saving = withStoreFlags(
    group
      .command('backup')
      .argument('<folder>', 'new or empty folder for the files')
      .description('back up all databases of the deployment as of one time; services may run'),
  );
  saving.action((folder: string, flags: DatabaseFlags) =>
    finish(backUp(resolve(world.cwd, folder), flags, outputOf(saving, world), world)),
  );
  const restoring = withStoreFlags(
    group
      .command('restore')
      .argument('<folder>', 'folder of the backup')
      .description('restore databases from a backup; verifies it first')
      .option('--as <prefix>', 'put this before the names of the databases', '')
      .option('--replace', 'remove what the databases contain')
      .option('--digest <sha256>', 'refuse a backup whose manifest has another digest than this one')
      .option('--dry-run', 'verify the backup and show what would be restored'),
  );
  restoring.action((folder: string, flags: RestoreFlags) =>
    finish(restore(resolve(world.cwd, folder), flags, outputOf(restoring, world), world)),
  );
}

function backUp(folder: string, flags: DatabaseFlags, output: Output, world: World): Promise<ExitCode> {
  return withDeployment(flags, world.cwd, async (deployment) => {
    const backup = await deployment.backUp({
      folder,
      databases: flags.database,
      now: new Date(world.now()),
      onProgress: progressOf(output, world),
      signal: world.signal,
    });
    printBackup(output, folder, backup);
    return exitCodes.ok;
  });
}

function printBackup(output: Output, folder: string, { manifest, digest }: Backup): void {
  const rows = manifest.databases.map(({ name, collections }) => ({
    database: name,
    collections: collections.length,
    documents: sumOf(collections, ({ documents }) => documents),
    bytes: sumOf(collections, (one) => one.bytes),
  }));
  if (output.json) {
    printJson(output, { folder, digest, clusterTime: manifest.clusterTime, databases: rows });
    return;
  }
  printTable(
    output,
    ['DATABASE', 'COLLECTIONS', 'DOCUMENTS', 'SIZE'],
    rows.map((row) => [row.database, String(row.collections), String(row.documents), bytes(row.bytes)]),
  );
  printLine(output, `as of ${new Date(manifest.clusterTime.t * 1000).toISOString()}, manifest ${digest}`);
  printLine(output, 'The keys are not in it: keep the folder of "rhizome admin keys" in a safe place, too.');
}

function restore(folder: string, flags: RestoreFlags, output: Output, world: World): Promise<ExitCode> {
  return withDeployment(flags, world.cwd, async (deployment) => {
    const dryRun = flags.dryRun === true;
    const restored = await deployment.restore({
      folder,
      prefix: flags.as,
      replace: flags.replace === true,
      digest: flags.digest,
      dryRun,
      databases: flags.database,
      now: new Date(world.now()),
      onProgress: progressOf(output, world),
      signal: world.signal,
    });
    if (output.json) printJson(output, { dryRun, databases: restored });
    else printRestored(output, restored, dryRun);
    return exitCodes.ok;
  });
}

function printRestored(output: Output, restored: readonly RestoredDatabase[], dryRun: boolean): void {
  printTable(
    output,
    ['DATABASE', 'RESTORED AS', 'COLLECTIONS', 'DOCUMENTS', ''],
    restored.map(({ name, target, collections, documents, isReplaced, isContinued }) => [
      name,
      target,
      String(collections),
      String(documents),
      isReplaced ? 'replaced' : isContinued ? 'continued' : '',
    ]),
  );
  if (dryRun) printLine(output, 'The files are complete. Nothing was written.');
}

/** A listener that writes a line now and then. */
function progressOf({ errors }: Output, { now }: World): (progress: Progress) => void {
  let last = now();
  return ({ database, collection, documents }) => {
    if (now() - last < progressMs) return;
    last = now();
    errors.write(`${database}.${collection}: ${documents} ${plural(documents, 'document')}\n`);
  };
}

const sumOf = <T>(values: readonly T[], of: (value: T) => number): number =>
  values.reduce((sum, value) => sum + of(value), 0);
