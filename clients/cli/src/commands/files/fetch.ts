/** `rhizome fetch`: downloads the outputs of a job or of a task. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type Session, type World, explain, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { type Finish, pagesUpTo } from '../../flags/flags.js';
import { CliJobOutputsDocument, CliTaskOutputsDocument } from '../../operations.generated.js';
import { bytes, plural, printable, printJson, printLine } from '../../output.js';
import { noSuchJob } from '../find-job.js';

interface FetchFlags {
  readonly to: string;
  readonly force?: boolean;
}

/** An output to download. */
interface FoundOutput {
  readonly jobId: string;
  readonly name: string;
  /** Path below the target folder. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Files that are downloaded at the same time. */
const concurrent = 6;
/** Most errors that are printed. */
const mostErrors = 20;

/** Adds the command. */
export function addFetch(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('fetch')
    .description('download the outputs of a job, or of the FINISHED jobs of a task; verifies them')
    .argument('<id>', 'id of a job or a task')
    .argument('[pattern]', 'names of the outputs, such as "*.root"; all by default')
    .option(
      '--to <folder>',
      'folder for the files; those of a task get a folder for each job, by its index',
      '.',
    )
    .option('--force', 'replace files that exist');
  command.action((id: string, pattern: string | undefined, flags: FetchFlags) =>
    finish(
      withSession(command, world, (session) => fetchOutputs(session, { id, pattern }, flags, world.signal)),
    ),
  );
}

async function fetchOutputs(
  session: Session,
  { id, pattern }: { readonly id: string; readonly pattern: string | undefined },
  { to, force }: FetchFlags,
  signal: AbortSignal,
): Promise<ExitCode> {
  // Loaded here: the other commands start faster without it.
  const { patterns } = await import('../../folder/patterns.js');
  const { forEachConcurrently } = await import('@rhizome/retry');
  const { download } = await import('../../folder/download.js');
  const { TransferProgress } = await import('../../folder/transfer-progress.js');
  const { output, now } = session;
  const addresses = new Addresses(session);
  const matches = pattern === undefined ? () => true : patterns([pattern]);
  const found = await (id.startsWith('task_') ? ofTask(session, id) : ofJob(id, addresses));
  const wanted = found.filter(({ name }) => matches(name));
  if (wanted.length === 0)
    throw new CliError(
      exitCodes.notFound,
      nothingText(
        id,
        pattern,
        found.map(({ name }) => name),
      ),
    );
  const total = wanted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  output.errors.write(`${wanted.length} ${plural(wanted.length, 'file')}, ${bytes(total)}\n`);
  const progress = new TransferProgress(output, 'fetching', now);
  let arrived = 0;
  const results: { path: string; sizeBytes: number; sha256: string; isFetched: boolean }[] = [];
  const failures: Failure[] = [];
  await forEachConcurrently(wanted, concurrent, async (file) => {
    signal.throwIfAborted();
    const { path, sizeBytes, sha256 } = file;
    try {
      const isFetched = await download(file, {
        ...{ folder: resolve(session.cwd, to), isForced: force === true, signal },
        address: (isRefused) => addresses.of(file, isRefused),
        onBytes: (count) => progress.show(Math.min(total, (arrived += count)), total),
      });
      results.push({ path, sizeBytes, sha256, isFetched });
    } catch (error) {
      signal.throwIfAborted();
      failures.push(await failureOf(path, error));
    }
  }).finally(() => progress.end());
  const fetched = results.filter(({ isFetched }) => isFetched).length;
  if (output.json) printJson(output, { files: results });
  else
    printLine(
      output,
      `${fetched} fetched, ${results.length - fetched} there already, ${failures.length} failed`,
    );
  return reported(session, failures);
}

async function ofJob(id: string, addresses: Addresses): Promise<readonly FoundOutput[]> {
  const { state, files } = await addresses.outputs(id);
  if (files.length === 0 && state !== 'FINISHED')
    throw new CliError(exitCodes.failed, `Job "${id}" is ${state}; it has outputs when it has FINISHED.`);
  return files.map(({ name, sizeBytes, sha256 }) => ({ jobId: id, name, path: name, sizeBytes, sha256 }));
}

/** Outputs of the jobs of a task. Their addresses are asked for when they are needed. */
async function ofTask({ client }: Session, id: string): Promise<readonly FoundOutput[]> {
  const jobs = await pagesUpTo(Infinity, async (first, after) => {
    const { task } = await client.query(CliTaskOutputsDocument, { id, first, after });
    if (!task) throw new CliError(exitCodes.notFound, `Task "${id}" not found, or you may not see it.`);
    return task.jobs;
  });
  return jobs.flatMap(({ id: jobId, taskIndex, outputs }) =>
    outputs.map(({ name, sizeBytes, sha256 }) => ({
      ...{ jobId, name, sizeBytes, sha256 },
      path: `${taskIndex ?? jobId}/${name}`,
    })),
  );
}

/** Time for which addresses are used, in milliseconds; they are valid for longer. */
const usedMs = 120_000;

/** Addresses of the outputs of jobs. */
class Addresses {
  readonly #session: Session;
  readonly #known = new Map<
    string,
    { readonly atMs: number; readonly read: ReturnType<Addresses['outputs']> }
  >();

  constructor(session: Session) {
    this.#session = session;
  }

  /** The outputs of a job as they are now. @throws CliError if there is no such job */
  outputs(id: string) {
    const read = this.#read(id);
    read.catch(() => this.#known.delete(id));
    this.#known.set(id, { atMs: this.#session.now(), read });
    return read;
  }

  /** An address of an output. @throws CliError if it has none */
  async of({ jobId, name, path }: FoundOutput, isRefused: boolean): Promise<string> {
    const known = this.#known.get(jobId);
    const isOld = !known || this.#session.now() - known.atMs > usedMs;
    const { files } = await (isRefused || isOld ? this.outputs(jobId) : known.read);
    const url = files.find((file) => file.name === name)?.url;
    if (url != null) return url;
    throw new CliError(
      exitCodes.unavailable,
      `${path}: there is no address for it: its storage was removed or cannot be used now, or it is in a store of the workers`,
    );
  }

  async #read(id: string) {
    const { job } = await this.#session.client.query(CliJobOutputsDocument, { id });
    if (!job) throw noSuchJob(id);
    return { state: job.state, files: job.outputFiles };
  }
}

/** A file that was not fetched. */
interface Failure {
  readonly message: string;
  readonly exitCode: ExitCode;
}

async function failureOf(path: string, error: unknown): Promise<Failure> {
  const { isStorageError } = await import('@rhizome/storage');
  const { NotWritten } = await import('../../folder/download.js');
  if (error instanceof NotWritten)
    return { message: `${path}: not written: ${error.message}`, exitCode: exitCodes.failed };
  if (!isStorageError(error)) return explain(error);
  const { message } = error;
  switch (error.kind) {
    case 'GONE':
      return { message: `${path}: gone: it is no longer in its storage`, exitCode: exitCodes.notFound };
    case 'DENIED':
      return { message: `${path}: denied by the storage: ${message}`, exitCode: exitCodes.denied };
    case 'CORRUPT':
      return { message: `${path}: corrupt in the storage: ${message}`, exitCode: exitCodes.failed };
    default:
      return {
        message: `${path}: ${message}; run the command again to continue`,
        exitCode: exitCodes.unavailable,
      };
  }
}

function reported({ output }: Session, failures: readonly Failure[]): ExitCode {
  for (const { message } of failures.slice(0, mostErrors))
    output.errors.write(`${printable(message, output.errors)}\n`);
  if (failures.length > mostErrors) output.errors.write(`and ${failures.length - mostErrors} more\n`);
  const codes = new Set(failures.map(({ exitCode }) => exitCode));
  const [only = exitCodes.ok] = codes;
  return codes.size > 1 ? exitCodes.failed : only;
}

function nothingText(id: string, pattern: string | undefined, names: readonly string[]): string {
  if (pattern === undefined || names.length === 0) return `${id} has no outputs`;
  const some = [...new Set(names)];
  const rest = some.length > 10 ? ', …' : '';
  return `No output of ${id} matches ${JSON.stringify(pattern)}; there are ${some.slice(0, 10).join(', ')}${rest}`;
}
