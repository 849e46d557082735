/** `rhizome logs`: output of a job; with `-f` as it is written. */
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../command.js';
import { type ExitCode, exitCodes } from '../exit-codes.js';
import { type Finish, wholeNumber } from '../flags/flags.js';
import {
  CliLogDocument,
  type CliLogQuery,
  CliLogTailDocument,
  type CliLogTailSubscription,
} from '../operations.generated.js';
import { findJob, noSuchJob } from './find-job.js';
import { type Output, printable, printJson, reportReconnecting, rulesOf } from '../output.js';

interface LogFlags {
  readonly follow?: boolean;
  readonly attempt?: number;
  readonly raw?: boolean;
}

/** Adds the command. */
export function addLogs(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('logs')
    .description("print a job's output: standard output to standard output, standard error to standard error")
    .argument('<job>', 'job id')
    .option('-f, --follow', 'continue until the job ends, through all of its attempts')
    .option('-a, --attempt <n>', 'attempt (default: the latest)', wholeNumber(1, 20))
    .option('--raw', 'print control characters of the job to the terminal; only if you trust the job');
  command.action((id: string, flags: LogFlags) =>
    finish(withSession(command, world, (session) => logs(session, id, flags))),
  );
}

async function logs(given: Session, id: string, { follow, attempt, raw }: LogFlags): Promise<ExitCode> {
  const session: Session = raw ? { ...given, output: { ...given.output, escapes: 'NEVER' } } : given;
  if (!follow) {
    await readPages(session, id, attempt ?? null);
    return exitCodes.ok;
  }
  return followLog(session, id, attempt);
}

/** Prints the log that exists. Returns the cursors of its chunks and the attempt that they belong to. */
async function readPages(
  { client, output }: Session,
  id: string,
  attempt: number | null,
): Promise<{
  readonly printed: ReadonlySet<string>;
  readonly attempt: number;
  readonly isComplete: boolean;
}> {
  const printed = new Set<string>();
  let of = attempt;
  for (let after: string | null = null; ;) {
    const { job }: CliLogQuery = await client.query(CliLogDocument, { id, attempt: of, after });
    if (!job) throw noSuchJob(id);
    // The first page that has an attempt fixes it: a retry in between must not mix two attempts.
    if (of === null && job.attempt > 0) of = job.attempt;
    for (const chunk of job.log.chunks) {
      printChunk(output, chunk);
      printed.add(chunk.cursor);
    }
    after = job.log.endCursor ?? after;
    if (!job.log.hasNextPage) return { printed, attempt: of ?? 0, isComplete: job.log.isComplete };
  }
}

/**
 * Prints the log of a job as it is written, until the job ends. The stream is opened before the log is read,
 * so nothing is missed; chunks that both bring are printed once.
 */
export async function followLog(
  session: Session,
  id: string,
  attempt: number | undefined,
): Promise<ExitCode> {
  await findJob(session, id);
  const { client, output } = session;
  const stream = client.subscribeResumable(
    CliLogTailDocument,
    { jobId: id },
    {
      cursorOf: ({ jobLogAppended }) => jobLogAppended.cursor,
      onReconnect: reportReconnecting(output),
      onSnapshot: () =>
        void output.errors.write('A part of the log may be missing here; print it without -f.\n'),
    },
  );
  try {
    await stream.next();
    const read = await readPages(session, id, attempt ?? null);
    if (attempt !== undefined && read.isComplete) return exitCodes.ok;
    for await (const {
      jobLogAppended: { event },
    } of stream) {
      if (!event) continue;
      if (attempt !== undefined && event.attempt > attempt) return exitCodes.ok;
      printNewChunks(output, event, read);
      if (event.isComplete) return exitCodes.ok;
    }
    return exitCodes.unavailable;
  } finally {
    await stream.return?.();
  }
}

function printNewChunks(
  output: Output,
  { attempt, chunks }: NonNullable<CliLogTailSubscription['jobLogAppended']['event']>,
  read: { readonly printed: ReadonlySet<string>; readonly attempt: number },
): void {
  // An attempt before the one that was read.
  if (attempt < read.attempt) return;
  for (const chunk of chunks) if (!read.printed.has(chunk.cursor)) printChunk(output, chunk);
}

function printChunk(
  output: Output,
  chunk: { readonly stream: 'STDOUT' | 'STDERR'; readonly text: string; readonly at: string },
): void {
  if (output.json) printJson(output, { at: chunk.at, stream: chunk.stream, text: chunk.text }, true);
  else {
    const stream = chunk.stream === 'STDERR' ? output.errors : output.stream;
    stream.write(printable(chunk.text, rulesOf(output, stream)));
  }
}
