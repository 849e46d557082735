/** `rhizome watch`: a job or a task, live, until it ends. */
import type { Command } from 'commander';
import { type Session, type World, withSession } from '../command.js';
import { CliError, type ExitCode, exitCodes } from '../exit-codes.js';
import type { Finish } from '../flags/flags.js';
import { progressText } from './job-progress.js';
import {
  CliShowJobDocument,
  type CliShowJobQuery,
  CliShowTaskDocument,
  CliWatchJobsDocument,
  CliWatchProgressDocument,
  CliWatchTaskDocument,
  type CliTaskLineFragment,
} from '../operations.generated.js';
import { findJob, noSuchJob } from './find-job.js';
import {
  type Output,
  bar,
  printableCell,
  printLine,
  printJson,
  reportReconnecting,
  startOf,
} from '../output.js';

const terminalJob = new Set(['FINISHED', 'FAILED', 'CANCELLED', 'CLOSED']);
const terminalTask = new Set(['DONE', 'FINISHED', 'FAILED', 'CANCELLED']);

/** Adds the command. */
export function addWatch(program: Command, world: World, finish: Finish): void {
  const command = program
    .command('watch')
    .description('watch a job or a task until it ends; exit code 0 if it FINISHED')
    .argument('<id>', 'id of a job or a task');
  command.action((id: string) => finish(withSession(command, world, (session) => watch(session, id))));
}

/** Watches the job or task that the id names. */
async function watch(session: Session, id: string): Promise<ExitCode> {
  if (id.startsWith('task_')) return watchTask(session, id);
  return watchJob(session, id);
}

/** Watches a job. The stream is opened before the job is read, so nothing is missed. */
export async function watchJob(session: Session, id: string): Promise<ExitCode> {
  await findJob(session, id);
  const { client, output } = session;
  let isPastLost = false;
  const stream = client.subscribeResumable(
    CliWatchJobsDocument,
    { filter: { ids: [id] } },
    {
      cursorOf: ({ jobStateChanged }) => jobStateChanged.cursor,
      onReconnect: reportReconnecting(output),
      onSnapshot: () => {
        isPastLost = true;
      },
    },
  );
  const progress = new AbortController();
  try {
    await stream.next();
    let job = await readJob(session, id);
    if (output.json) printJson(output, present(job), true);
    else printLine(output, `${job.name}: ${job.state}${exitText(job.exitCode)}`);
    if (terminalJob.has(job.state)) return job.state === 'FINISHED' ? exitCodes.ok : exitCodes.failed;
    void watchProgress(session, id, progress.signal);
    for await (const {
      jobStateChanged: { event },
    } of stream) {
      if (isPastLost) {
        isPastLost = false;
        output.errors.write('Some changes were missed; this is the current state.\n');
        job = await readJob(session, id);
        printEvent(output, present(job));
        if (terminalJob.has(job.state)) return job.state === 'FINISHED' ? exitCodes.ok : exitCodes.failed;
      }
      if (!event || event.revision <= lastRevision(job)) continue;
      printEvent(output, event);
      if (terminalJob.has(event.state)) return event.state === 'FINISHED' ? exitCodes.ok : exitCodes.failed;
    }
    return exitCodes.unavailable;
  } finally {
    progress.abort();
    await stream.return?.();
  }
}

/** Prints the progress of a job until the signal. A stream that fails does not end the watch. */
async function watchProgress({ client, output }: Session, id: string, signal: AbortSignal): Promise<void> {
  const stream = client.subscribe(CliWatchProgressDocument, { ids: [id] }, { signal });
  try {
    for await (const { jobProgressChanged } of stream)
      for (const { progress } of jobProgressChanged.jobs) {
        if (progress === null || signal.aborted) continue;
        if (output.json) printJson(output, { progress }, true);
        else printLine(output, `${progress.reportedAt}  ${progressText(progress)}`);
      }
  } catch (error) {
    if (!signal.aborted) output.errors.write(`Progress is not shown: ${String(error)}\n`);
  }
}

async function readJob({ client }: Session, id: string): Promise<ShownJob> {
  const { job } = await client.query(CliShowJobDocument, { id });
  if (!job) throw noSuchJob(id);
  return job;
}

type ShownJob = NonNullable<CliShowJobQuery['job']>;

function lastRevision(job: { readonly transitions: readonly { readonly revision: number }[] }): number {
  return job.transitions.at(-1)?.revision ?? 0;
}

/** Current state of the job in the form of an event: the job may have ended before the watch began. */
function present(job: Present): JobEvent {
  const { state, attempt, updatedAt, id, name, exitCode } = job;
  return { state, previousState: null, attempt, reason: null, at: updatedAt, job: { id, name, exitCode } };
}

interface Present {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly attempt: number;
  readonly updatedAt: string;
  readonly exitCode: number | null;
}

interface JobEvent {
  readonly state: string;
  readonly previousState: string | null;
  readonly attempt: number;
  readonly reason: string | null;
  readonly at: string;
  readonly job: { readonly id: string; readonly name: string; readonly exitCode: number | null };
}

function printEvent(output: Output, event: JobEvent): void {
  if (output.json) {
    printJson(output, event, true);
    return;
  }
  const exit = exitText(event.job.exitCode);
  printLine(
    output,
    `${event.at}  ${event.previousState ?? ''} → ${event.state}  attempt ${event.attempt}${exit}${event.reason ? `  (${event.reason})` : ''}`,
  );
}

function exitText(exitCode: number | null | undefined): string {
  return exitCode === null || exitCode === undefined ? '' : `  exit code ${exitCode}`;
}

/** Watches a task, with a progress bar in a terminal and a line for each change elsewhere. */
export async function watchTask({ client, output }: Session, id: string): Promise<ExitCode> {
  const { task } = await client.query(CliShowTaskDocument, { id });
  if (!task) throw new CliError(exitCodes.notFound, `Task "${id}" not found, or you may not see it.`);
  const stream = client.subscribe(CliWatchTaskDocument, { id }, { onReconnect: reportReconnecting(output) });
  let state: string = task.state;
  try {
    if (!terminalTask.has(state)) {
      for await (const { taskProgress } of stream) {
        if (!taskProgress.task || !taskProgress.progress) continue;
        state = taskProgress.task.state;
        printProgress(output, taskProgress.task.name, state, taskProgress.progress);
        if (terminalTask.has(state)) break;
      }
    } else printProgress(output, task.name, state, task.progress);
  } finally {
    await stream.return?.();
  }
  if (output.stream.isTTY && !output.json) output.stream.write('\n');
  if (!terminalTask.has(state)) return exitCodes.unavailable;
  return state === 'FINISHED' ? exitCodes.ok : exitCodes.failed;
}

function printProgress(
  output: Output,
  name: string,
  state: string,
  progress: CliTaskLineFragment['progress'],
): void {
  if (output.json) {
    printJson(output, { name, state, progress }, true);
    return;
  }
  const counts = progress.counts.map(({ state: of, count }) => `${of.toLowerCase()} ${count}`).join(', ');
  const shown = printableCell(name, output.stream);
  const line = `${shown} ${bar(progress.endedFraction, 24)} ${Math.round(progress.endedFraction * 100)} % of ${progress.totalJobs}  ${state}  ${counts}`;
  if (output.stream.isTTY)
    output.stream.write(`\r\x1b[2K${startOf(line, (output.stream.columns ?? 100) - 1)}`);
  else printLine(output, line);
}
