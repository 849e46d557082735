/** The tour: submits work of two experiments through the gateway, shows it live, and checks the results. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ApiClient } from '@rhizome/client';
import {
  TourJobsDocument,
  type TourJobsSubscription,
  TourLogDocument,
  TourSubmitAtlasTaskDocument,
  TourSubmitEpicRunDocument,
  TourTaskDocument,
  type TourTaskQuery,
} from '../operations.generated.js';
import type { GpuKind } from '../gpus.js';
import type { ProgressDisplay } from './progress-display.js';
import { showGpus, submitGpuJob } from './gpus.js';
import { type OutputFolders, type Histogram, pathOf, problemOfPeak } from './peak.js';
import { atlasTask, epicRun } from './submissions.js';

/** Options of the tour. */
export interface TourOptions {
  readonly client: ApiClient;
  readonly display: ProgressDisplay;
  /** Folders with the outputs of the pilots. */
  readonly folders: OutputFolders;
  /** Seconds since the command started. */
  readonly since: () => number;
  readonly signal: AbortSignal;
  /** With simulated GPUs the tour submits one more job. */
  readonly gpus: GpuKind;
}

/** Result of the tour. */
export interface TourResult {
  readonly ok: boolean;
  /** One sentence for each problem. */
  readonly problems: readonly string[];
}

type TourJob = NonNullable<NonNullable<TourTaskQuery['task']>['jobs']['nodes'][number]>;
type TourEvent = NonNullable<TourJobsSubscription['jobStateChanged']['event']>;

const terminal = new Set(['FINISHED', 'FAILED', 'CANCELLED', 'CLOSED']);
/**
 * Start of run numbers (2020): a run number is the number of seconds since then, so that each tour has its
 * own.
 */
const firstRunAt = 1_577_836_800;

/** Runs the tour until it ends or the signal is aborted. */
export async function runTour(options: TourOptions): Promise<TourResult> {
  const { client, display, since, signal } = options;
  const events = client.subscribeResumable(
    TourJobsDocument,
    { experiments: ['atlas', 'epic'] },
    { signal, cursorOf: ({ jobStateChanged }) => jobStateChanged.cursor },
  );
  // The opening message: no event after its cursor is missed, so the work can be submitted now.
  await events.next();
  const [tasks, gpuJob] = await Promise.all([
    submitAll(client, display),
    options.gpus === 'simulated' ? submitGpuJob(client) : undefined,
  ]);
  const ended = await follow(events, { client, tasks, gpuJob, display, since });
  await events.return?.();
  if (signal.aborted) return { ok: false, problems: ['the tour was interrupted'] };
  return check(options, { tasks, gpuJob }, ended);
}

async function submitAll(client: ApiClient, display: ProgressDisplay): Promise<readonly string[]> {
  const atlas = await client.mutate(
    TourSubmitAtlasTaskDocument,
    { input: atlasTask(randomUUID()) },
    { idempotent: true },
  );
  const runNumber = Math.floor(Date.now() / 1000) - firstRunAt;
  const epic = await client.mutate(
    TourSubmitEpicRunDocument,
    { input: epicRun(randomUUID(), runNumber) },
    { idempotent: true },
  );
  const errors = [...atlas.submitAtlasTask.userErrors, ...epic.submitEpicRun.userErrors];
  const tasks = [atlas.submitAtlasTask.task?.task?.id, epic.submitEpicRun.run?.task?.id].filter(
    (id) => id !== undefined && id !== null,
  );
  if (errors.length > 0 || tasks.length !== 2) {
    throw new Error(
      `the tour's work was refused: ${errors.map(({ message }) => message).join('; ') || 'no task was returned'}`,
    );
  }
  display.say(`Submitted the ATLAS task ${atlas.submitAtlasTask.task?.id} and the ePIC run ${runNumber}.\n`);
  return tasks;
}

/** Submitted work. */
interface Work {
  readonly tasks: readonly string[];
  readonly gpuJob: string | undefined;
}

function isOf({ tasks, gpuJob }: Work, { id, task }: NonNullable<TourEvent['job']>): boolean {
  return id === gpuJob || (task !== null && tasks.includes(task.id));
}

/** Shows events until every job of the tasks has ended. @returns the final state of each */
async function follow(
  iterator: AsyncIterator<TourJobsSubscription>,
  { client, display, since, ...work }: Work & Pick<TourOptions, 'client' | 'display' | 'since'>,
): Promise<ReadonlyMap<string, string>> {
  const expected = (await totalJobs(client, work.tasks)) + (work.gpuJob === undefined ? 0 : 1);
  const ended = new Map<string, string>();
  while (ended.size < expected) {
    const { value, done } = await iterator.next();
    if (done) break;
    const { event } = (value as TourJobsSubscription).jobStateChanged;
    if (!event || !isOf(work, event.job)) continue;
    display.show({ id: event.job.id, ...lineOf(event) });
    if (!terminal.has(event.state)) continue;
    if (ended.size === 0) display.say(`First job ${event.state} ${since().toFixed(1)} s after the command.`);
    ended.set(event.job.id, event.state);
  }
  return ended;
}

const afterPayload = new Set([...terminal, 'HOLDING', 'TRANSFERRING', 'ACTIVATED', 'PENDING']);

function lineOf({ job, state, attempt }: TourEvent) {
  const step = job.atlas
    ? `ATLAS ${job.atlas.step.toLowerCase()}${job.atlas.firstEvent === null || job.atlas.firstEvent === undefined ? '' : ` from ${job.atlas.firstEvent}`}`
    : undefined;
  const group = job.epic
    ? `ePIC ${job.epic.group ? `time-frame group ${job.epic.group.index}` : 'merge'}`
    : undefined;
  // The job is read after the event and may be ahead of it.
  const exits = job.attempts
    .filter(({ number }) => number < attempt || (number === attempt && afterPayload.has(state)))
    .flatMap(({ exitCode }) => exitCode ?? []);
  return {
    what: step ?? group ?? job.name,
    state,
    attempt,
    worker: job.worker?.name ?? '',
    note: exits.length > 0 ? `exit ${exits.join(', then ')}` : '',
  };
}

async function totalJobs(client: ApiClient, tasks: readonly string[]): Promise<number> {
  const answers = await Promise.all(tasks.map((id) => client.query(TourTaskDocument, { id })));
  return answers.reduce((sum, { task }) => sum + (task?.progress.totalJobs ?? 0), 0);
}

/** Checks the results: states, the retried attempt with its log, and the fitted peak. */
async function check(
  { client, display, folders }: TourOptions,
  { tasks, gpuJob }: Work,
  ended: ReadonlyMap<string, string>,
): Promise<TourResult> {
  const answers = await Promise.all(tasks.map((id) => client.query(TourTaskDocument, { id })));
  const jobs = answers.flatMap(({ task }) => task?.jobs.nodes ?? []);
  const problems = jobs.filter(({ state }) => state !== 'FINISHED').map(problemOfJob);
  const expected = jobs.length + (gpuJob === undefined ? 0 : 1);
  if (ended.size < expected) problems.push(`${expected - ended.size} jobs did not end in time`);
  await showRetried(client, display, jobs, problems);
  if (gpuJob !== undefined) await showGpus(client, display, gpuJob, problems);
  await showPeak(display, folders, jobs, problems);
  return { ok: problems.length === 0, problems };
}

function problemOfJob({ id, name, state, attempts }: TourJob): string {
  const error = attempts.at(-1)?.error;
  return `job ${name} (${id}) is ${state}${error ? `: ${error.message} [${error.code}]` : ''}`;
}

async function showRetried(
  client: ApiClient,
  display: ProgressDisplay,
  jobs: readonly TourJob[],
  problems: string[],
): Promise<void> {
  const retried = jobs.find(
    ({ attempts }) => attempts.length === 2 && attempts[0]?.exitCode === 3 && attempts[1]?.exitCode === 0,
  );
  if (!retried) {
    problems.push('no job failed with exit code 3 and succeeded on its second attempt');
    return;
  }
  const { job } = await client.query(TourLogDocument, { id: retried.id, attempt: 1 });
  const said = (job?.log.chunks ?? [])
    .map(({ text }) => text)
    .join('')
    .trim();
  display.say(
    `\n${retried.name} ended with exit code 3 on its first attempt and with 0 on its second. Log of the first attempt:\n  ${said.replaceAll('\n', '\n  ')}`,
  );
}

async function showPeak(
  display: ProgressDisplay,
  folders: OutputFolders,
  jobs: readonly TourJob[],
  problems: string[],
): Promise<void> {
  const outputs = jobs.flatMap((job) => job.outputs);
  const location = outputs.find(({ name }) => name === 'histogram.json')?.location;
  const picture = outputs.find(({ name }) => name === 'histogram.svg')?.location;
  if (!location || !picture) {
    problems.push('the merge left no histogram');
    return;
  }
  const histogram = JSON.parse(await readFile(pathOf(folders, location), 'utf8')) as Histogram;
  const problem = problemOfPeak(histogram);
  if (problem !== null) problems.push(problem);
  const { peak, peakError } = histogram.fit;
  display.say(
    `\nThe fitted Z peak is at ${peak.toFixed(3)} ± ${peakError.toFixed(3)} GeV. The picture: ${pathOf(folders, picture)}`,
  );
}
