/** `rhizome dataset delete` and `rhizome dataset restore`: copies of files in storages. */
import type { Command } from 'commander';
import { printErrors, type Session, type World, withSession } from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import { collect, type DryRunFlags, type Finish, wholeNumber, withDryRun } from '../../flags/flags.js';
import {
  CliDeleteDatasetFilesDocument,
  CliRestoreDatasetFilesDocument,
  type DatasetFileFilter,
} from '../../operations.generated.js';
import { bytes, printJson, printLine } from '../../output.js';

interface SelectionFlags {
  readonly name: readonly string[];
  readonly prefix?: string;
  readonly key: readonly string[];
}

interface DeleteFlags extends SelectionFlags, DryRunFlags {
  readonly storage?: string;
  readonly minReplicas?: number;
  readonly restoreDays?: number;
}

/** Most kept files that are printed. */
const mostKept = 20;
const idempotent = { idempotent: true } as const;

/** Adds the commands to those of datasets. */
export function addDeletion(group: Command, world: World, finish: Finish): void {
  const deleting = withDryRun(withSelection(group.command('delete')))
    .description('delete copies of the files of a dataset from their storages, after some days')
    .option('--storage <name>', 'only copies in this storage')
    .option('--min-replicas <n>', 'copies of each file that stay; default 0', wholeNumber(0, 20))
    .option(
      '--restore-days <n>',
      'days for which they can be restored; with 0, for 10 minutes; default 7',
      wholeNumber(0, 365),
    );
  deleting.action((id: string, flags: DeleteFlags) =>
    finish(withSession(deleting, world, (session) => deleteFiles(session, id, flags))),
  );
  const restoring = withSelection(group.command('restore')).description(
    'keep copies whose deletion has not begun',
  );
  restoring.action((id: string, flags: SelectionFlags) =>
    finish(withSession(restoring, world, (session) => restore(session, id, flags))),
  );
}

function withSelection(command: Command): Command {
  return command
    .argument('<dataset>', 'id of the dataset')
    .option('--name <name>', 'only the file with this name; may be repeated', collect, [])
    .option('--prefix <text>', 'only names that begin with it')
    .option('--key <key>', 'only files with this key; may be repeated', collect, []);
}

function filterOf({ name, prefix, key }: SelectionFlags): DatasetFileFilter {
  return {
    ...(name.length > 0 ? { names: [...name] } : {}),
    ...(prefix === undefined ? {} : { namePrefix: prefix }),
    ...(key.length > 0 ? { keys: [...key] } : {}),
  };
}

async function deleteFiles(
  { client, output }: Session,
  datasetId: string,
  { storage, minReplicas, restoreDays, dryRun = false, ...selection }: DeleteFlags,
): Promise<ExitCode> {
  const given = {
    ...(storage === undefined ? {} : { storageName: storage }),
    ...(minReplicas === undefined ? {} : { minReplicas }),
    ...(restoreDays === undefined ? {} : { restoreDays }),
  };
  const sum = { fileCount: 0, copyCount: 0, sizeBytes: 0, keptFileCount: 0 };
  const kept: { readonly name: string; readonly reason: string }[] = [];
  for (let afterPosition: number | null | undefined; afterPosition !== null;) {
    const input = { datasetId, filter: filterOf(selection), ...given, isDryRun: dryRun };
    const from = afterPosition === undefined ? {} : { afterPosition };
    const { deleteDatasetFiles } = await client.mutate(
      CliDeleteDatasetFilesDocument,
      { input: { ...input, ...from } },
      idempotent,
    );
    const { deletion, userErrors } = deleteDatasetFiles;
    printErrors(output, userErrors);
    if (!deletion) return exitCodes.failed;
    sum.fileCount += deletion.fileCount;
    sum.copyCount += deletion.copyCount;
    sum.sizeBytes += deletion.sizeBytes;
    sum.keptFileCount += deletion.keptFileCount;
    kept.push(...deletion.kept.slice(0, mostKept - kept.length));
    afterPosition = deletion.nextPosition;
  }
  if (output.json) {
    printJson(output, { ...sum, kept });
    return exitCodes.ok;
  }
  const done = dryRun ? 'would be deleted' : 'will be deleted';
  printLine(output, `${sum.copyCount} copies of ${sum.fileCount} files, ${bytes(sum.sizeBytes)}, ${done}`);
  if (sum.keptFileCount > 0) printLine(output, `${sum.keptFileCount} files are kept:`);
  for (const { name, reason } of kept) printLine(output, `  ${name}: ${reason}`);
  return exitCodes.ok;
}

async function restore(
  { client, output }: Session,
  datasetId: string,
  selection: SelectionFlags,
): Promise<ExitCode> {
  const sum = { copyCount: 0, tooLateCount: 0 };
  for (let afterPosition: number | null | undefined; afterPosition !== null;) {
    const from = afterPosition === undefined ? {} : { afterPosition };
    const input = { datasetId, filter: filterOf(selection), ...from };
    const { restoreDatasetFiles } = await client.mutate(
      CliRestoreDatasetFilesDocument,
      { input },
      idempotent,
    );
    printErrors(output, restoreDatasetFiles.userErrors);
    if (restoreDatasetFiles.userErrors.length > 0) return exitCodes.failed;
    sum.copyCount += restoreDatasetFiles.copyCount;
    sum.tooLateCount += restoreDatasetFiles.tooLateCount;
    afterPosition = restoreDatasetFiles.nextPosition;
  }
  if (output.json) printJson(output, sum);
  else printLine(output, `${sum.copyCount} copies restored, ${sum.tooLateCount} too late`);
  return exitCodes.ok;
}
