/** `rhizome dataset`: named sets of files. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  type MutationError,
  printChange,
  printErrors,
  type Session,
  type World,
  withSession,
} from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { jsonLineBatches } from '../../files/json-line-batches.js';
import {
  collect,
  collectOneOf,
  collectPairs,
  type DryRunFlags,
  type Finish,
  oneOf,
  type Pair,
  pagesUpTo,
  wholeNumber,
  withDryRun,
} from '../../flags/flags.js';
import {
  CliAppendDatasetFilesDocument,
  CliCloseDatasetDocument,
  CliCreateDatasetDocument,
  CliDatasetDocument,
  CliDatasetFilesDocument,
  type CliDatasetFragment,
  CliDatasetsDocument,
  CliRemoveDatasetDocument,
  CliSetDatasetReplicasDocument,
  type DatasetFileInput,
  type DatasetState,
  type FileReplicaState,
} from '../../operations.generated.js';
import { addDeletion } from './deletion.js';
import { bytes, printFields, printJson, printLine, printTable } from '../../output.js';

const states: readonly DatasetState[] = ['OPEN', 'CLOSED', 'REMOVING'];
const replicaStates: readonly FileReplicaState[] = [
  'AVAILABLE',
  'UNAVAILABLE',
  'LOST',
  'BEING_DELETED',
  'DELETED',
];
const maxListed = 1000;
/** Most files of a call. */
const filesAtOnce = 5000;
const idempotent = { idempotent: true } as const;

interface ListFlags {
  readonly experiment: readonly string[];
  readonly name: readonly string[];
  readonly state: readonly DatasetState[];
}

interface FilesFlags {
  readonly prefix?: string;
  readonly key: readonly string[];
  readonly replicaState: readonly FileReplicaState[];
  readonly limit: number;
}

/** Adds the commands. */
export function addDataset(program: Command, world: World, finish: Finish): void {
  const group = program
    .command('dataset')
    .description('named sets of files: create, fill, show and close them');
  const listing = group
    .command('list')
    .description('list datasets, the newest first')
    .option('-e, --experiment <name>', 'only of this experiment; may be repeated', collect, [])
    .option('--name <name>', 'only with this name; may be repeated', collect, [])
    .option('--state <state>', `only in this state: ${states.join(', ')}`, collectOneOf(states), []);
  listing.action((flags: ListFlags) =>
    finish(withSession(listing, world, (session) => list(session, flags))),
  );
  const showing = ofDataset(group.command('show')).description('show a dataset');
  showing.action((id: string) => finish(withSession(showing, world, (session) => show(session, id))));
  const files = ofDataset(group.command('files'))
    .description('list the files of a dataset, in the order in which they were added')
    .option('--prefix <text>', 'only names that begin with it')
    .option('--key <key>', 'only files with this key; may be repeated', collect, [])
    .option(
      '--replica-state <state>',
      `only files with a copy in this state: ${replicaStates.join(', ')}`,
      collectOneOf(replicaStates),
      [],
    )
    .option('--limit <n>', 'largest number of files', wholeNumber(1, 1_000_000), maxListed);
  files.action((id: string, flags: FilesFlags) =>
    finish(withSession(files, world, (session) => listFiles(session, id, flags))),
  );
  addChanges(group, world, finish);
  addDeletion(group, world, finish);
}

function addChanges(group: Command, world: World, finish: Finish): void {
  const creating = group
    .command('create')
    .description('create an open dataset')
    .argument('<name>', 'name of the dataset')
    .requiredOption('-e, --experiment <name>', 'experiment that owns the files')
    .option('--metadata <key=value>', 'key and value; may be repeated', collectPairs, []);
  creating.action(
    (name: string, flags: { readonly experiment: string; readonly metadata: readonly Pair[] }) =>
      finish(withSession(creating, world, (session) => create(session, name, flags))),
  );
  const adding = ofDataset(group.command('add'))
    .description('add the files that a file names, one JSON object in each line')
    .argument('<file>', 'file with lines such as {"name": "a.root", "sizeBytes": 1, "replicas": []}');
  adding.action((id: string, file: string) =>
    finish(withSession(adding, world, (session) => add(session, id, file))),
  );
  const copying = ofDataset(group.command('replica'))
    .description('add a copy to a file of a dataset, or set the state of one')
    .argument('<file>', 'name of the file')
    .argument('<location>', 'rhizome://STORAGE/KEY, or a URL')
    .option('--state <state>', `state: ${replicaStates.join(', ')}`, oneOf(replicaStates), 'AVAILABLE');
  copying.action(
    (id: string, file: string, location: string, { state }: { readonly state: FileReplicaState }) =>
      finish(withSession(copying, world, (session) => setReplica(session, id, { file, location, state }))),
  );
  const closing = ofDataset(group.command('close')).description(
    'close a dataset: no further file is added, and outputs of all jobs that have ended are in it',
  );
  closing.action((id: string) => finish(withSession(closing, world, (session) => close(session, id))));
  const removing = withDryRun(ofDataset(group.command('remove'))).description(
    'remove a dataset with the records of its files; the files stay',
  );
  removing.action((id: string, flags: DryRunFlags) =>
    finish(withSession(removing, world, (session) => remove(session, id, flags))),
  );
}

function ofDataset(command: Command): Command {
  return command.argument('<dataset>', 'id of the dataset');
}

async function list({ client, output }: Session, { experiment, name, state }: ListFlags): Promise<ExitCode> {
  const filter = {
    ...(experiment.length > 0 ? { experiments: [...experiment] } : {}),
    ...(name.length > 0 ? { names: [...name] } : {}),
    ...(state.length > 0 ? { states: [...state] } : {}),
  };
  const found = await pagesUpTo(
    maxListed,
    async (first, after) => (await client.query(CliDatasetsDocument, { filter, first, after })).datasets,
  );
  if (output.json) printJson(output, found);
  else if (found.length > 0)
    printTable(
      output,
      ['ID', 'EXPERIMENT', 'NAME', 'STATE', 'FILES', 'SIZE', 'EVENTS'],
      found.map((one) => [
        ...[one.id, one.experiment.name, one.name, one.state, String(one.fileCount)],
        ...[bytes(one.sizeBytes), String(one.eventCount)],
      ]),
    );
  return exitCodes.ok;
}

async function show({ client, output }: Session, id: string): Promise<ExitCode> {
  const { dataset } = await client.query(CliDatasetDocument, { id });
  if (!dataset) throw notFound(id);
  if (output.json) printJson(output, dataset);
  else
    printFields(output, [
      ['dataset', dataset.id],
      ['name', dataset.name],
      ['experiment', dataset.experiment.name],
      ['owner', dataset.owner.subject],
      ['state', dataset.state],
      ...dataset.metadata.map(({ key, value }) => [key, value] as const),
      ['files', dataset.fileCount],
      ['size', bytes(dataset.sizeBytes)],
      ['events', dataset.eventCount],
      ['created', dataset.createdAt],
      ['closed', dataset.closedAt],
    ]);
  return exitCodes.ok;
}

async function listFiles(
  { client, output }: Session,
  id: string,
  { prefix, key, replicaState, limit }: FilesFlags,
): Promise<ExitCode> {
  const filter = {
    ...(prefix === undefined ? {} : { namePrefix: prefix }),
    ...(key.length > 0 ? { keys: [...key] } : {}),
    ...(replicaState.length > 0 ? { replicaStates: [...replicaState] } : {}),
  };
  const found = await pagesUpTo(limit, async (first, after) => {
    const { dataset } = await client.query(CliDatasetFilesDocument, { id, filter, first, after });
    if (!dataset) throw notFound(id);
    return dataset.files;
  });
  if (output.json) printJson(output, found);
  else if (found.length > 0)
    printTable(
      output,
      ['NAME', 'SIZE', 'EVENTS', 'KEY', 'COPIES'],
      found.map(({ name, sizeBytes, eventCount, key: group, replicas }) => [
        ...[name, bytes(sizeBytes), eventCount === null ? '' : String(eventCount), group ?? ''],
        replicas.map(({ storageName, state }) => `${storageName ?? 'URL'} ${state}`).join(', '),
      ]),
    );
  return exitCodes.ok;
}

async function create(
  { client, output }: Session,
  name: string,
  { experiment, metadata }: { readonly experiment: string; readonly metadata: readonly Pair[] },
): Promise<ExitCode> {
  const input = { experiment, name, metadata: [...metadata] };
  const { createDataset } = await client.mutate(CliCreateDatasetDocument, { input }, idempotent);
  return printChange(output, createDataset.dataset, createDataset.userErrors, ({ id }) => id);
}

/** Adds files in batches. A repeated run adds only what is not in the dataset yet. */
async function add({ client, output, cwd }: Session, datasetId: string, file: string): Promise<ExitCode> {
  let addedCount = 0;
  let repeatedCount = 0;
  const lines = {
    ...{ file: resolve(cwd, file), most: filesAtOnce, key: 'name' },
    expected: 'a JSON object with a name and sizeBytes',
  };
  for await (const files of jsonLineBatches<DatasetFileInput>(lines)) {
    const input = { datasetId, files };
    const { appendDatasetFiles } = await client.mutate(CliAppendDatasetFilesDocument, { input }, idempotent);
    printErrors(output, appendDatasetFiles.userErrors);
    if (appendDatasetFiles.userErrors.length > 0) return exitCodes.failed;
    addedCount += appendDatasetFiles.addedCount;
    repeatedCount += appendDatasetFiles.repeatedCount;
  }
  if (output.json) printJson(output, { addedCount, repeatedCount });
  else printLine(output, `${addedCount} added, ${repeatedCount} added before`);
  return exitCodes.ok;
}

async function setReplica(
  { client, output }: Session,
  datasetId: string,
  { file, ...copy }: { readonly file: string; readonly location: string; readonly state: FileReplicaState },
): Promise<ExitCode> {
  const input = { datasetId, replicas: [{ fileName: file, ...copy }] };
  const { setDatasetReplicas } = await client.mutate(CliSetDatasetReplicasDocument, { input }, idempotent);
  const { files, userErrors } = setDatasetReplicas;
  return printChange(output, files[0] ?? null, userErrors, ({ name }) => `${name}  ${copy.state}`);
}

async function close({ client, output }: Session, datasetId: string): Promise<ExitCode> {
  const input = { datasetId };
  const { closeDataset } = await client.mutate(CliCloseDatasetDocument, { input }, idempotent);
  return printed(output, closeDataset, ({ state }) => `${datasetId}  ${state}`);
}

async function remove(
  { client, output }: Session,
  datasetId: string,
  { dryRun = false }: DryRunFlags,
): Promise<ExitCode> {
  const input = { datasetId, isDryRun: dryRun };
  const { removeDataset } = await client.mutate(CliRemoveDatasetDocument, { input }, { idempotent: false });
  return printed(output, removeDataset, ({ fileCount, sizeBytes, state }) => {
    const content = `${fileCount} files, ${bytes(sizeBytes)}`;
    return dryRun ? `${datasetId} would be removed with ${content}` : `${datasetId}  ${state}  ${content}`;
  });
}

function printed(
  output: Session['output'],
  {
    dataset,
    userErrors,
  }: { readonly dataset: CliDatasetFragment | null; readonly userErrors: readonly MutationError[] },
  textOf: (dataset: CliDatasetFragment) => string,
): ExitCode {
  return printChange(output, dataset, userErrors, textOf);
}

function notFound(id: string): CliError {
  return new CliError(exitCodes.notFound, `Dataset "${id}" not found, or you may not see it.`);
}
