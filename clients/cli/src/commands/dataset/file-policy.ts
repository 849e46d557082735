/** `rhizome file-policy`: how long files of datasets are kept. */
import type { Command } from 'commander';
import { printChange, printErrors, type Session, type World, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collect, type Finish, oneOf, pagesUpTo, wholeNumber } from '../../flags/flags.js';
import {
  CliFileDeletionPreviewDocument,
  CliFilePoliciesDocument,
  type CliFilePolicyRulesFragment,
  CliFilePolicyVersionsDocument,
  CliSetFilePolicyDocument,
  type FileKeptSince,
  type FilePolicyRulesInput,
} from '../../operations.generated.js';
import { bytes, printFields, printJson, printLine, printTable } from '../../output.js';

const events: readonly FileKeptSince[] = ['ADDED', 'LAST_USED'];
const maxListed = 1000;
const idempotent = { idempotent: true } as const;

interface RuleFlags {
  readonly experiment: string;
  readonly keepDays: number;
  readonly since?: FileKeptSince;
  readonly dataset?: string;
  readonly prefix?: string;
  readonly storage?: string;
  readonly keepNewest?: number;
  readonly minReplicas?: number;
  readonly restoreDays?: number;
}

interface SetFlags extends RuleFlags {
  readonly comment?: string;
  readonly disable?: boolean;
}

/** Adds the commands. */
export function addFilePolicy(program: Command, world: World, finish: Finish): void {
  const group = program
    .command('file-policy')
    .description('delete files of datasets when their time is over');
  const listing = group
    .command('list')
    .description('list the file policies of your experiments')
    .option('-e, --experiment <name>', 'only of this experiment; may be repeated', collect, []);
  listing.action((flags: { readonly experiment: readonly string[] }) =>
    finish(withSession(listing, world, (session) => list(session, flags.experiment))),
  );
  const history = group
    .command('history')
    .description('list the versions of a file policy, newest first')
    .argument('<name>', 'name of the policy')
    .requiredOption('-e, --experiment <name>', 'its experiment');
  history.action((name: string, { experiment }: { readonly experiment: string }) =>
    finish(withSession(history, world, (session) => versions(session, name, experiment))),
  );
  const previewing = withRules(group.command('preview')).description(
    'show which files rules would delete now',
  );
  previewing.action((flags: RuleFlags) =>
    finish(withSession(previewing, world, (session) => preview(session, flags))),
  );
  const setting = withRules(group.command('set').argument('<name>', 'name of the policy'))
    .description('create a file policy, or add a version to it')
    .option('--comment <text>', 'comment on the version')
    .option('--disable', 'keep the policy, and apply it no longer');
  setting.action((name: string, flags: SetFlags) =>
    finish(withSession(setting, world, (session) => set(session, name, flags))),
  );
}

function withRules(command: Command): Command {
  return command
    .requiredOption('-e, --experiment <name>', 'experiment that owns the files')
    .requiredOption('--keep-days <n>', 'days for which files are kept', wholeNumber(1, 36_500))
    .option('--since <event>', `event from which they are counted: ${events.join(', ')}`, oneOf(events))
    .option('--dataset <id>', 'only files of this dataset')
    .option('--prefix <text>', 'only datasets whose names begin with it')
    .option('--storage <name>', 'only copies in this storage')
    .option('--keep-newest <n>', 'number of the newest datasets that are kept', wholeNumber(0, 1000))
    .option('--min-replicas <n>', 'copies of each file that stay', wholeNumber(0, 20))
    .option('--restore-days <n>', 'days for which copies can be restored', wholeNumber(0, 365));
}

function rulesOf(flags: RuleFlags): FilePolicyRulesInput {
  const { keepDays, since, dataset, prefix, storage, keepNewest, minReplicas, restoreDays } = flags;
  return {
    keepDays,
    ...(since === undefined ? {} : { since }),
    ...(dataset === undefined ? {} : { datasetId: dataset }),
    ...(prefix === undefined ? {} : { namePrefix: prefix }),
    ...(storage === undefined ? {} : { storageName: storage }),
    ...(keepNewest === undefined ? {} : { keepNewest }),
    ...(minReplicas === undefined ? {} : { minReplicas }),
    ...(restoreDays === undefined ? {} : { restoreDays }),
  };
}

/** Rules in words. */
function textOf(rules: CliFilePolicyRulesFragment): string {
  const { datasetId, namePrefix, storageName, keepDays, since, keepNewest, minReplicas } = rules;
  const parts = [
    `${keepDays} days since ${since}`,
    datasetId === null ? undefined : `dataset ${datasetId}`,
    namePrefix === null ? undefined : `datasets ${namePrefix}*`,
    storageName === null ? undefined : `copies in ${storageName}`,
    keepNewest === 0 ? undefined : `not the ${keepNewest} newest`,
    minReplicas === 0 ? undefined : `${minReplicas} copies stay`,
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}

async function list({ client, output }: Session, experiments: readonly string[]): Promise<ExitCode> {
  const filter = experiments.length > 0 ? { experiments: [...experiments] } : {};
  const found = await pagesUpTo(
    maxListed,
    async (first, after) =>
      (await client.query(CliFilePoliciesDocument, { filter, first, after })).filePolicies,
  );
  if (output.json) printJson(output, found);
  else if (found.length > 0)
    printTable(
      output,
      ['EXPERIMENT', 'NAME', 'VERSION', 'ENABLED', 'KEEPS', 'LAST RUN'],
      found.map(({ experiment, name, version, isEnabled, rules, lastRun }) => [
        ...[experiment.name, name, String(version), isEnabled ? 'yes' : 'no', textOf(rules)],
        lastRun === null ? '' : `${lastRun.at}: ${lastRun.copyCount} copies, ${bytes(lastRun.sizeBytes)}`,
      ]),
    );
  return exitCodes.ok;
}

async function versions({ client, output }: Session, name: string, experiment: string): Promise<ExitCode> {
  const filter = { experiments: [experiment], names: [name] };
  const { filePolicies } = await client.query(CliFilePolicyVersionsDocument, { filter });
  const [policy] = filePolicies.nodes;
  if (!policy)
    throw new CliError(exitCodes.notFound, `File policy "${name}" not found, or you may not see it.`);
  if (output.json) printJson(output, policy.versions);
  else
    printTable(
      output,
      ['VERSION', 'AUTHOR', 'AT', 'ENABLED', 'KEEPS', 'COMMENT'],
      policy.versions.map(({ version, author, at, isEnabled, rules, comment }) => [
        ...[String(version), author.subject, at, isEnabled ? 'yes' : 'no', textOf(rules), comment ?? ''],
      ]),
    );
  return exitCodes.ok;
}

async function preview({ client, output }: Session, flags: RuleFlags): Promise<ExitCode> {
  const input = { experiment: flags.experiment, rules: rulesOf(flags) };
  const { fileDeletionPreview } = await client.query(CliFileDeletionPreviewDocument, { input });
  const { preview: found, userErrors } = fileDeletionPreview;
  printErrors(output, userErrors);
  if (!found) return exitCodes.failed;
  if (output.json) {
    printJson(output, found);
    return exitCodes.ok;
  }
  const more = found.isComplete ? '' : ', and possibly more';
  printFields(output, [
    ['files', `${found.fileCount}${more}`],
    ['copies', found.copyCount],
    ['size', bytes(found.sizeBytes)],
    ['oldest', found.oldestAt],
    ['datasets', found.datasetCount],
    ['kept, as something needs them', found.keptFileCount],
  ]);
  for (const { dataset, fileCount, sizeBytes } of found.datasets)
    printLine(output, `  ${dataset?.name ?? 'removed'}: ${fileCount} files, ${bytes(sizeBytes)}`);
  for (const { name, reason } of found.kept) printLine(output, `  kept: ${name}: ${reason}`);
  return exitCodes.ok;
}

async function set({ client, output }: Session, name: string, flags: SetFlags): Promise<ExitCode> {
  const { experiment, comment, disable = false } = flags;
  const given = comment === undefined ? {} : { comment };
  const input = { experiment, name, rules: rulesOf(flags), isEnabled: !disable, ...given };
  const { setFilePolicy } = await client.mutate(CliSetFilePolicyDocument, { input }, idempotent);
  return printChange(
    output,
    setFilePolicy.policy,
    setFilePolicy.userErrors,
    ({ version, isEnabled, rules }) =>
      `${name}  version ${version}  ${isEnabled ? textOf(rules) : 'not enabled'}`,
  );
}
