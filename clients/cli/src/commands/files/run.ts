/** `rhizome run`: uploads a folder, and runs a command in it. */
import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { type Session, type World, printErrors, withSession } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collect, type Finish } from '../../flags/flags.js';
import { type CliUploadFragment, CliSubmitJobsDocument, type JobInput } from '../../operations.generated.js';
import { bytes, plural, printJson, printLine } from '../../output.js';
import { followLog } from '../logs.js';
import { type JobFlags, jobOf, withJob } from '../submit.js';
import { watchJob } from '../watch.js';

interface RunFlags extends JobFlags {
  readonly allowSecret: readonly string[];
  readonly detach?: boolean;
}

/** Time for which the end of the log is waited for after the end of the job, in milliseconds. */
const logMs = 10_000;

/** Adds the command. */
export function addRun(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('run')
    .description(
      'upload a folder, run a command in it on a worker, and follow it (rhizome run [DIR] -e EXPERIMENT [flags] -- COMMAND [ARGUMENT…])',
    )
    .argument('[words...]', 'folder (default: .), and after -- the command and its arguments');
  withJob(command)
    .option(
      '--allow-secret <file>',
      'upload this file though it looks like a secret; may be repeated',
      collect,
      [],
    )
    .option('-d, --detach', 'print the id of the job, and do not follow it');
  command.action((words: readonly string[], flags: RunFlags) =>
    finish(
      withSession(command, world, (session) => run(session, split(words, command), flags, world.signal)),
    ),
  );
}

/** A folder, and a command to run in it. */
interface FolderCommand {
  readonly folder: string;
  readonly words: readonly string[];
}

/** Divides the words at `--`, which the parser of the command line removes. */
function split(words: readonly string[], command: Command): FolderCommand {
  const { rawArgs } = command.parent as unknown as { readonly rawArgs: readonly string[] };
  const mark = rawArgs.indexOf('--');
  const count = mark < 0 ? 0 : rawArgs.length - mark - 1;
  const folders = words.slice(0, words.length - count);
  if (count === 0)
    throw new CliError(
      exitCodes.usage,
      'run needs a command after --, as: rhizome run ./analysis -e EXPERIMENT -- python fit.py',
    );
  if (folders.length > 1)
    throw new CliError(
      exitCodes.usage,
      `run takes one folder before --, but got ${folders.length}: ${folders.join(' ')}`,
    );
  return { folder: folders[0] ?? '.', words: words.slice(-count) };
}

async function run(
  session: Session,
  { folder, words }: FolderCommand,
  flags: RunFlags,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { client, output } = session;
  const { experiment } = flags;
  if (!experiment) throw new CliError(exitCodes.usage, 'run needs --experiment NAME');
  const job = jobOf(words, flags);
  const upload = await uploaded(session, { folder, experiment, allowed: flags.allowSecret }, signal);
  if (!upload) return exitCodes.failed;
  const input = {
    experiment,
    idempotencyKey: flags.key ?? randomUUID(),
    jobs: [withUpload(job, upload)],
  };
  const { submitJobs } = await client.mutate(CliSubmitJobsDocument, { input }, { idempotent: true });
  printErrors(output, submitJobs.userErrors);
  const [submitted] = submitJobs.jobs;
  if (!submitted) return exitCodes.failed;
  if (output.json) printJson(output, submitted, !flags.detach);
  else if (flags.detach) printLine(output, submitted.id);
  else output.errors.write(`${submitted.id}\n`);
  return flags.detach ? exitCodes.ok : follow(session, submitted.id, signal);
}

async function uploaded(
  session: Session,
  { folder, experiment, allowed }: { folder: string; experiment: string; allowed: readonly string[] },
  signal: AbortSignal,
): Promise<CliUploadFragment | null> {
  const { output, cwd, now } = session;
  const root = resolve(cwd, folder);
  if (!(await stat(root).catch(() => undefined))?.isDirectory())
    throw new CliError(exitCodes.usage, `${folder}: there is no such folder`);
  // Loaded here: the other commands start faster without it.
  const { findFiles, secretText } = await import('../../folder/find-files.js');
  const { packFolder } = await import('../../folder/pack.js');
  const { uploadFolder } = await import('../../folder/upload-folder.js');
  const { TransferProgress } = await import('../../folder/transfer-progress.js');
  const names = new Set(allowed.map((name) => name.replace(/^\.\//, '')));
  const found = await findFiles(root, names);
  refuse(found.problems);
  const sizeBytes = found.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const left = found.ignored === 0 ? '' : `, ${found.ignored} left out`;
  output.errors.write(
    `${folder}: ${found.files.length} ${plural(found.files.length, 'file')}, ${bytes(sizeBytes)}${left}\n`,
  );
  const reading = new TransferProgress(output, 'reading', now);
  let read = 0;
  const onRead = (count: number): void => reading.show((read += count), sizeBytes);
  const packed = await packFolder(found, { signal, onRead }).finally(() => reading.end());
  refuse(packed.secrets.filter(([path]) => !names.has(path)).map(([path, what]) => secretText(path, what)));
  const sending = new TransferProgress(output, 'uploading', now);
  let [sent, total] = [0, 0];
  const onProgress = (done: number, all: number): void => {
    [sent, total] = [done, Math.max(total, all)];
    sending.show(done, all);
  };
  const toUpload = { experiment, name: nameOf(root), found, packed };
  const upload = await uploadFolder(session, toUpload, { signal, onProgress }).finally(() => sending.end());
  if (upload) output.errors.write(sent === 0 ? 'nothing to send: all is there\n' : `${bytes(sent)} sent\n`);
  return upload;
}

/** Name of a folder in a form that core accepts. */
function nameOf(root: string): string {
  const text = basename(root).replace(/[\p{Cc}\p{Bidi_Control}\p{Surrogate}]/gu, '?');
  return [...text].slice(0, 200).join('').trim() || 'folder';
}

function refuse(problems: readonly string[]): void {
  if (problems.length === 0) return;
  const shown = problems.slice(0, 20).map((problem) => `\n  ${problem}`);
  const rest = problems.length > 20 ? `\n  and ${problems.length - 20} more` : '';
  throw new CliError(exitCodes.usage, `The folder is not uploaded:${shown.join('')}${rest}`);
}

/** The job with the upload, and with disk space for it unless the caller asked for some. */
function withUpload(job: JobInput, { id, sizeBytes }: CliUploadFragment): JobInput {
  const diskMiB = job.requirements?.diskMiB ?? 1024 + Math.ceil(sizeBytes / 1024 ** 2);
  return {
    ...job,
    requirements: { ...job.requirements, diskMiB },
    payload: { ...job.payload, uploadId: id },
  };
}

/** Prints the log of the job to the standard streams, and its states to the error stream, until it ends. */
async function follow(session: Session, id: string, signal: AbortSignal): Promise<ExitCode> {
  const { fulfilsWithin } = await import('@rhizome/retry');
  const { output } = session;
  const states = output.json ? session : { ...session, output: { ...output, stream: output.errors } };
  const log = followLog(session, id, undefined);
  // A log that cannot be followed is reported when the job has ended.
  log.catch(() => undefined);
  try {
    const exitCode = await watchJob(states, id);
    const isWhole = await fulfilsWithin(log, logMs).catch(() => false);
    if (!isWhole) output.errors.write(`The log may be incomplete; "rhizome logs ${id}" prints all of it.\n`);
    return exitCode;
  } finally {
    if (signal.aborted)
      output.errors.write(
        `${id} goes on; "rhizome watch ${id}" follows it, "rhizome cancel ${id}" ends it\n`,
      );
  }
}
