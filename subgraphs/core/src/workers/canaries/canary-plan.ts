/** Which canary jobs begin, what became of them, and the health that follows. Pure. */
import { isTerminal } from '../../jobs/model/job-state.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { JobSpec } from '../../jobs/submit/submit.types.js';
import type { StoredCanary } from '../../queues/queue.document.js';
import {
  type CanaryDocument,
  type CanaryOutcome,
  type CanaryResult,
  type CanaryRun,
  mostOpen,
  mostResults,
} from './canary.document.js';

/** Fields of a canary job that its result follows from. */
export type CanaryJob = Pick<JobDocument, '_id' | 'state' | 'stateTimes' | 'attempts' | 'error'>;

/** Results older than this do not count for the health of a queue. */
const windowMs = 86_400_000;
/** Time after which a refused submit is tried again. */
const retryMs = 60_000;
/** Time after which a job that no worker took is cancelled; longer intervals wait for their length. */
const longestWaitMs = 86_400_000;

/** The document of a queue without canary jobs so far. */
export function noCanaries(queueId: string, now: Date): CanaryDocument {
  const base = { _id: queueId, schemaVersion: 1, revision: 0, createdAt: now, updatedAt: now };
  return { ...base, open: [], results: [] };
}

/** A later revision of a document. */
export function revised(
  document: CanaryDocument,
  change: Partial<CanaryDocument>,
  now: Date,
): CanaryDocument {
  return { ...document, ...change, revision: document.revision + 1, updatedAt: now };
}

/**
 * Canary jobs that begin now: one if the interval since the latest is over and that one has ended, and one
 * for each host that is to be tested and is not being tested. A refused submit is tried again after a minute.
 */
export function runsDue(
  document: CanaryDocument,
  settings: StoredCanary,
  hosts: readonly string[],
  now: Date,
): readonly CanaryRun[] {
  const { _id, revision, open, latestAt, problem } = document;
  const pauseMs = problem ? retryMs : settings.intervalSeconds * 1000;
  const isOver = latestAt === undefined || latestAt.getTime() + pauseMs <= now.getTime();
  const tested = new Set(open.map(({ host }) => host));
  const begun = [
    ...(isOver && !tested.has(undefined) ? [undefined] : []),
    ...(problem ? [] : hosts.filter((host) => !tested.has(host))),
  ];
  // The place of the job that tests no single host stays free for it.
  const mayBegin = mostOpen - 1 - open.filter(({ host }) => host !== undefined).length;
  const some = begun.filter((host) => host === undefined);
  const ofHosts = begun.filter((host) => host !== undefined).slice(0, Math.max(0, mayBegin));
  return [...some, ...ofHosts].map((host, index) => ({
    key: `canary:${_id}:${revision + 1}:${index}`,
    at: now,
    ...(host === undefined ? {} : { host }),
    settings,
  }));
}

/** The job of a run. It is not repeated: its end is its result. */
export function canaryJob({ host, settings }: CanaryRun, queue: string): JobSpec {
  const { share, command, arguments: given, image, cores, memoryMiB, walltimeSeconds } = settings;
  return {
    name: host === undefined ? `canary of ${queue}` : `canary of ${queue} on ${host}`.slice(0, 200),
    share,
    requirements: {
      ...{ queue, cores, memoryMiB, diskMiB: 1, walltimeSeconds },
      ...(host === undefined ? {} : { selector: `worker.host == ${JSON.stringify(host)}` }),
    },
    payload: { command, arguments: given, ...(image === undefined ? {} : { image }) },
    retry: { maxAttempts: 1 },
    continuity: { onDisconnect: 'STOP' },
  };
}

/**
 * Moves runs whose jobs have ended to the results. Runs whose jobs the store no longer has are left out.
 * @param jobs of the open runs, as stored now
 * @returns the same document if nothing has ended
 */
export function withResults(
  document: CanaryDocument,
  jobs: ReadonlyMap<string, CanaryJob>,
  now: Date,
): CanaryDocument {
  const results: CanaryResult[] = [];
  const open = document.open.filter((run) => {
    const job = run.jobId === undefined ? undefined : jobs.get(run.jobId);
    if (job && isTerminal(job.state)) results.push(resultOf(run, job, now));
    return run.jobId === undefined || (job !== undefined && !isTerminal(job.state));
  });
  if (open.length === document.open.length) return document;
  results.sort((a, b) => b.endedAt.getTime() - a.endedAt.getTime());
  return revised(document, { open, results: [...results, ...document.results].slice(0, mostResults) }, now);
}

function resultOf({ host, at }: CanaryRun, job: CanaryJob, now: Date): CanaryResult {
  const { _id: jobId, state, stateTimes, attempts, error } = job;
  const last = attempts.at(-1);
  const endedAt = stateTimes[state] ?? now;
  const seconds = last?.startedAt && (endedAt.getTime() - last.startedAt.getTime()) / 1000;
  return {
    ...{ jobId, outcome: outcomes[state] ?? 'CANCELLED', isHostTest: host !== undefined },
    ...{ submittedAt: at, endedAt },
    ...(last?.host === undefined ? {} : { host: last.host }),
    ...(seconds === undefined ? {} : { runSeconds: Math.max(0, seconds) }),
    ...(error ? { code: error.code } : {}),
  };
}

const outcomes: Partial<Record<JobDocument['state'], CanaryOutcome>> = {
  FINISHED: 'SUCCEEDED',
  FAILED: 'FAILED',
};

/**
 * Runs whose jobs are cancelled: the queue has no canary jobs any more or other ones, or the job has waited
 * for a day.
 */
export function isObsolete(
  { at, settings }: CanaryRun,
  current: StoredCanary | undefined,
  isWaiting: boolean,
  now: Date,
): boolean {
  if (!current) return true;
  if (!isWaiting) return false;
  const longestMs = Math.max(longestWaitMs, settings.intervalSeconds * 1000);
  return !isSame(settings, current) || at.getTime() + longestMs <= now.getTime();
}

function isSame(one: StoredCanary, other: StoredCanary): boolean {
  const fields = Object.keys({ ...one, ...other }) as (keyof StoredCanary)[];
  return fields
    .filter((field) => field !== 'intervalSeconds')
    .every((field) => JSON.stringify(one[field]) === JSON.stringify(other[field]));
}

/** Health of a queue as its canary jobs show it. */
export interface QueueHealth {
  readonly latest: CanaryResult | null;
  /** Time since which the open job that tests no single host waits or runs. */
  readonly openSince: Date | null;
  /** Jobs that ended by themselves in the window. */
  readonly canaryCount: number;
  /** Of those, the fraction that succeeded; null without any. */
  readonly successFraction: number | null;
  /** Begin of the window. */
  readonly since: Date;
  readonly problem: string | null;
}

/** Health by the results of the latest day, of the latest {@link mostResults} jobs at most. */
export function healthOf({ open, results, problem }: CanaryDocument, now: Date): QueueHealth {
  const since = new Date(now.getTime() - windowMs);
  const counted = results.filter(
    ({ outcome, endedAt, isHostTest }) => outcome !== 'CANCELLED' && !isHostTest && endedAt >= since,
  );
  const succeeded = counted.filter(({ outcome }) => outcome === 'SUCCEEDED').length;
  return {
    latest: results.find(({ isHostTest }) => !isHostTest) ?? null,
    openSince: open.find(({ host }) => host === undefined)?.at ?? null,
    canaryCount: counted.length,
    successFraction: counted.length === 0 ? null : succeeded / counted.length,
    since,
    problem: problem?.message ?? null,
  };
}
