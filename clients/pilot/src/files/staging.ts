import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { forEachConcurrently } from '@rhizome/retry';
import {
  assertOutputPath,
  type Connections,
  isRefusedAddress,
  isStorageError,
  withoutCredentials,
} from '@rhizome/storage';
import { AttemptError } from '../payload/attempt-error.js';
import { type ExpectedContent, problemOfFile } from './content-check.js';
import { isPlainName, placeOf, schemeOf } from './file-store.js';
import { download } from './http-store.js';
import type { FoundOutput, OutputFolder } from './output-folder.js';
import type { AttemptFolders } from './scratch.js';
import type { FileStore } from './file-store.types.js';
import type { SignedFiles, SignedReader, StoreOptions } from './signed-files.js';
import type { InputFile, NodeFile, ParentOutputs, StoredFile } from './stored-file.types.js';

/** Files that a job reads. */
export interface StageInPlan {
  readonly inputs: readonly InputFile[];
  readonly parents: readonly ParentOutputs[];
  /** Files of other nodes of the workflow. */
  readonly nodeFiles?: readonly NodeFile[];
}

/** Where files are read from. */
export interface InputSources {
  /** The pilot's own store. */
  readonly store: FileStore;
  /** Storages, by addresses that core signs. */
  readonly signed: SignedFiles;
  /** Connections to the servers that jobs name. */
  readonly connections: Connections;
  /** Most bytes of an input by URL whose size is not declared: the scratch space of the job. */
  readonly limitBytes?: number;
}

/** Schemes of locations in storages. */
const storageSchemes: ReadonlySet<string | undefined> = new Set([
  'rhizome',
  'root',
  'roots',
  'xroot',
  'xroots',
]);

/** Concurrent transfers of one job. */
const concurrentTransfers = 8;

/** A file to fetch. */
interface Wanted {
  readonly file: InputFile | StoredFile;
  readonly target: string;
  /** Job that stored it; null for a declared input. */
  readonly jobId: string | null;
}

/**
 * Fetches declared inputs and files of other nodes into the working folder, and the outputs of each parent
 * into a folder of its own, checks the latter two against their reported checksums, and writes the manifest:
 * `{"parents": [{"jobId", "folder", "files": [{"name", "sizeBytes", "sha256"}]}], "inputs": [{"name",
 * "path"}], "nodes": [{"node", "name", "path", "sizeBytes", "sha256"}]}`, the last only if there are some.
 * @throws AttemptError DATA that names the file
 */
export async function stageIn(
  plan: StageInPlan,
  folders: AttemptFolders,
  { store, signed, connections, limitBytes }: InputSources,
  signal: AbortSignal,
): Promise<void> {
  const parents = plan.parents.map((parent) => ({
    ...parent,
    folder: join(folders.inputs, placeOf(parent.jobId)),
  }));
  for (const { folder } of parents) await mkdir(folder, { recursive: true });
  const ofNodes = await nodeFilesIn(plan.nodeFiles ?? [], folders.work);
  const wanted: readonly Wanted[] = [
    ...plan.inputs.map((file) => ({ file, target: join(folders.work, file.name), jobId: null })),
    ...parents.flatMap(({ jobId, outputs, folder }) =>
      outputs.map((file) => ({ file, target: join(folder, file.name), jobId })),
    ),
    ...ofNodes,
  ];
  for (const { file, jobId } of wanted) assertFetchable(file, jobId);
  const signedFiles = wanted.filter(({ file }) => isSigned(file));
  const reader = signed.reader(signedFiles.map(({ file: { name }, jobId }) => ({ name, jobId })));
  await forEachConcurrently(wanted, concurrentTransfers, async ({ file, target, jobId }) => {
    if (file.name.includes('/')) await mkdir(dirname(target), { recursive: true });
    await (isSigned(file)
      ? fetchSigned(file, { target, jobId }, reader, signal)
      : fetchInput(file, target, { store, connections, limitBytes }, signal));
  });
  const manifest = {
    parents: parents.map(({ jobId, folder, outputs }) => ({
      jobId,
      folder,
      files: outputs.map(({ name, sizeBytes, sha256 }) => ({ name, sizeBytes, sha256 })),
    })),
    inputs: plan.inputs.map(({ name }) => ({ name, path: join(folders.work, name) })),
    ...(ofNodes.length === 0
      ? {}
      : {
          nodes: ofNodes.map(({ node, target: path, file: { name, sizeBytes, sha256 } }) => ({
            ...{ node, name, path, sizeBytes, sha256 },
          })),
        }),
  };
  await writeFile(folders.inputsManifest, `${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * Files of other nodes that exist, and the folders for them.
 * @throws AttemptError DATA INPUT_MISSING, INPUT_INVALID
 */
async function nodeFilesIn(
  files: readonly NodeFile[],
  work: string,
): Promise<readonly (Wanted & { readonly node: string; readonly file: StoredFile })[]> {
  const found = files.flatMap(({ path, node, name, isOptional, jobId, output }) => {
    if (path.split('/').length > 2 || !path.split('/').every(isPlainName))
      throw new AttemptError(
        'DATA',
        'INPUT_INVALID',
        `Input ${JSON.stringify(path)} is not a name, or a folder and a name`,
        false,
      );
    if (output && jobId !== null) return [{ file: output, target: join(work, path), jobId, node }];
    if (isOptional) return [];
    throw new AttemptError(
      'DATA',
      'INPUT_MISSING',
      `Input ${JSON.stringify(path)}: node ${JSON.stringify(node)} has stored no output ${JSON.stringify(name)}`,
      false,
    );
  });
  for (const folder of new Set(found.map(({ target }) => dirname(target))))
    await mkdir(folder, { recursive: true });
  return found;
}

/** Fails before anything is fetched: another attempt would fail the same way. */
function assertFetchable({ name, location }: InputFile, jobId: string | null): void {
  const input = `Input ${JSON.stringify(name)}`;
  const invalid = (reason: string): AttemptError => new AttemptError('DATA', 'INPUT_INVALID', reason, false);
  if (jobId === null && !isPlainName(name))
    throw invalid(`${input}: the name is not a file name; must be without "/"`);
  if (jobId !== null && !isOutputPath(name))
    throw invalid(`${input} of job ${jobId}: the name is not a path in the output folder`);
  const scheme = schemeOf(location);
  if (scheme === undefined || scheme === 'http' || scheme === 'https' || storageSchemes.has(scheme)) return;
  throw invalid(
    `${input}: workers cannot fetch from ${scheme}://; the location must be an http(s) URL, a location in a storage, or a path in the file store`,
  );
}

function isOutputPath(name: string): boolean {
  try {
    assertOutputPath(name);
    return true;
  } catch {
    return false;
  }
}

/** True for a file that core signs addresses of: it is in a storage, or has several places. */
const isSigned = ({ location, otherLocations = [] }: InputFile): boolean =>
  otherLocations.length > 0 || storageSchemes.has(schemeOf(location));

/** Known facts about the content of a file. */
function expectedOf(file: InputFile | StoredFile): ExpectedContent {
  const { sizeBytes = null } = file;
  if ('sha256' in file) return { sizeBytes, checksums: [{ kind: 'SHA256', value: file.sha256 }] };
  return { sizeBytes, checksums: file.checksums ?? [] };
}

async function fetchSigned(
  file: InputFile | StoredFile,
  { target, jobId }: Omit<Wanted, 'file'>,
  reader: SignedReader,
  signal: AbortSignal,
): Promise<void> {
  const places = 1 + ('otherLocations' in file ? (file.otherLocations ?? []).length : 0);
  const options = { expected: expectedOf(file), places };
  await reader.fetch({ name: file.name, jobId }, target, signal, options);
}

async function fetchInput(
  file: InputFile | StoredFile,
  target: string,
  {
    store,
    connections,
    limitBytes,
  }: Omit<InputSources, 'signed' | 'limitBytes'> & { readonly limitBytes: number | undefined },
  signal: AbortSignal,
): Promise<void> {
  const shown = `Input ${JSON.stringify(file.name)} from ${withoutCredentials(file.location)}`;
  const expected = expectedOf(file);
  const limit = expected.sizeBytes ?? limitBytes;
  try {
    if (schemeOf(file.location) !== undefined)
      await download(file.location, target, connections, signal, undefined, limit);
    else await store.get(file.location, target, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (isStorageError(error, 'TOO_LARGE'))
      throw expected.sizeBytes == null
        ? new AttemptError('LIMIT', 'DISK_EXCEEDED', `${shown} does not fit: ${error.message}`, false)
        : new AttemptError('DATA', 'INPUT_CORRUPT', `${shown} differs: ${error.message}`, true);
    const code = isRefusedAddress(error) ? 'INPUT_ADDRESS_REFUSED' : 'INPUT_UNAVAILABLE';
    const message = `${shown} could not be fetched: ${reasonOf(error)}`;
    throw new AttemptError('DATA', code, message, true, { cause: error });
  }
  if (expected.sizeBytes == null && expected.checksums?.length === 0) return;
  const problem = await problemOfFile(target, expected, signal);
  if (problem !== undefined) throw new AttemptError('DATA', 'INPUT_CORRUPT', `${shown} ${problem}`, true);
}

/**
 * Stores outputs under keys of this attempt alone: a late attempt never replaces files of another.
 * @throws AttemptError DATA OUTPUT_NOT_STORED
 */
export async function stageOut(
  outputs: readonly FoundOutput[],
  folder: OutputFolder,
  attempt: { readonly jobId: string; readonly attemptId: string },
  store: FileStore,
  { signal, onFailed }: Pick<StoreOptions, 'signal' | 'onFailed'>,
): Promise<readonly StoredFile[]> {
  const stored = outputs.map((output) => ({
    ...output,
    location: placeOf(attempt.jobId, attempt.attemptId, ...output.name.split('/')),
  }));
  const failed = new Set<string>();
  await forEachConcurrently(stored, concurrentTransfers, async ({ location, ...output }) => {
    const { name } = output;
    try {
      await folder.withFile(output, async (path) => store.put(path, location, signal));
    } catch (error) {
      const message = `Output ${JSON.stringify(name)} could not be stored as ${location}: ${reasonOf(error)}`;
      const failure = new AttemptError('DATA', 'OUTPUT_NOT_STORED', message, true, { cause: error });
      if (!onFailed) {
        signal.throwIfAborted();
        throw failure;
      }
      failed.add(name);
      onFailed(failure);
    }
  });
  return stored
    .filter(({ name }) => !failed.has(name))
    .map(({ name, location, sizeBytes, sha256 }) => ({ name, location, sizeBytes, sha256 }));
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message === '' && 'code' in error ? String(error.code) : error.message;
}
