/** Which canary jobs begin, what became of them, and the health that follows. Pure. */
import { digestOf } from '@rhizome/digest';
import { canaryOwner } from '../../jobs/model/canary-owner.js';
import { isTerminal } from '../../jobs/model/job-state.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { JobSpec } from '../../jobs/submit/submit.types.js';
import type { StoredCanary } from '../../queues/queue.document.js';
import {
  type CanaryDocument,
  type CanaryOutcome,
  type CanaryProblem,
  type CanaryResult,
  type CanaryRun,
  type HostResult,
  mostResults,
} from './canary.document.js';

/** Fields of a canary job that its result follows from. */
export type CanaryJob = Pick<
  JobDocument,
  '_id' | 'state' | 'stateTimes' | 'attempts' | 'error' | 'transitions'
>;

/** Results older than this do not count for the health of a queue. */
const windowMs = 86_400_000;
/** Time after which a refused submit is tried again. */
const retryMs = 60_000;
/** Time after which a job that no worker took is cancelled; longer intervals wait for their length. */
const longestWaitMs = 86_400_000;

/** The document of a queue without canary jobs so far. */
export function noCanaries(queueId: string, now: Date): CanaryDocument {
  const base = { _id: queueId, schemaVersion: 1, revision: 0, createdAt: now, updatedAt: now };
  return { ...base, open: [], results: [], hostResults: [] };
}

/** A later revision of a document. */
export function revised(
  document: CanaryDocument,
  change: Partial<CanaryDocument>,
  now: Date,
): CanaryDocument {
  return { ...document, ...change, revision: document.revision + 1, updatedAt: now };
}

/** Identifies what canary jobs run: all settings except the interval. */
export function settingsDigest({ intervalSeconds: _interval, ...rest }: StoredCanary): string {
  return digestOf(rest);
}

/** The canary jobs that a queue has now; absent without. */
export interface CurrentCanary {
  readonly settings: StoredCanary;
  readonly digest: string;
}

/** Adds the digest to settings. */
export function currentCanary(settings: StoredCanary | undefined): CurrentCanary | undefined {
  return settings && { settings, digest: settingsDigest(settings) };
}

/**
 * Leaves out errors of submits that no longer matter: the queue has no canary jobs any more, or other ones.
 * @returns the same document if there are none
 */
export function withoutOldProblems(
  document: CanaryDocument,
  current: CurrentCanary | undefined,
  now: Date,
): CanaryDocument {
  const { problem, hostProblem, ...rest } = document;
  const isOld = (one: CanaryProblem | undefined): boolean => !!one && one.settings !== current?.digest;
  if (!isOld(problem) && !isOld(hostProblem)) return document;
  const kept = {
    ...(problem && !isOld(problem) ? { problem } : {}),
    ...(hostProblem && !isOld(hostProblem) ? { hostProblem } : {}),
  };
  return revised({ ...rest, ...kept }, {}, now);
}

/** The document after a submit was accepted or refused. A refusal of former settings is no problem. */
export function withSubmit(
  document: CanaryDocument,
  run: CanaryRun,
  result: { readonly jobId: string } | { readonly refusal: string },
  current: CurrentCanary | undefined,
  now: Date,
): CanaryDocument {
  const name = run.host === undefined ? 'problem' : 'hostProblem';
  const { [name]: _before, ...rest } = document;
  const others = document.open.filter(({ key }) => key !== run.key);
  if ('jobId' in result) return revised(rest, { open: [...others, { ...run, jobId: result.jobId }] }, now);
  const settings = settingsDigest(run.settings);
  const problem = { message: result.refusal.slice(0, 500), at: now, settings };
  const change = settings === current?.digest ? { [name]: problem } : {};
  return revised(run.host === undefined ? dueAgain(rest) : rest, { open: others, ...change }, now);
}

/** The interval does not count from a job that was not submitted, or withdrawn before it ran. */
function dueAgain({ latestAt: _latestAt, ...rest }: CanaryDocument): CanaryDocument {
  return rest;
}

/** True if a refused submit is not tried again yet. */
export function isPaused(problem: CanaryProblem | undefined, now: Date): boolean {
  return problem !== undefined && problem.at.getTime() + retryMs > now.getTime();
}

/**
 * Canary jobs that begin now: one if the interval since the latest is over and that one has ended, and those
 * of the hosts. A refused submit is tried again after a minute.
 * @param hosts that are to be tested and have no open run, as `hostsDue` names them
 */
export function runsDue(
  { _id, revision, open, latestAt, problem }: CanaryDocument,
  settings: StoredCanary,
  hosts: readonly string[],
  now: Date,
): readonly CanaryRun[] {
  const intervalMs = settings.intervalSeconds * 1000;
  const isOver = problem
    ? !isPaused(problem, now)
    : latestAt === undefined || latestAt.getTime() + intervalMs <= now.getTime();
  const isOpen = open.some(({ host }) => host === undefined);
  const begun = [...(isOver && !isOpen ? [undefined] : []), ...hosts];
  return begun.map((host, index) => ({
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
 * Moves runs whose jobs have ended to the results. Of a host, the latest result is kept; none if core
 * cancelled the job before it ran. Runs whose jobs the store no longer has are left out, but a host whose job
 * is gone counts as tested.
 * @param jobs of the open runs, as stored now
 * @returns the same document if nothing has ended
 */
export function withResults(
  document: CanaryDocument,
  jobs: ReadonlyMap<string, CanaryJob>,
  now: Date,
): CanaryDocument {
  const results: CanaryResult[] = [];
  const hostResults: HostResult[] = [];
  let isWithdrawnOne = false;
  const open = document.open.filter((run) => {
    if (run.jobId === undefined) return true;
    const job = jobs.get(run.jobId);
    if (job && !isTerminal(job.state)) return true;
    const result = job ? resultOf(run, job, now) : goneResult(run, run.jobId, now);
    if (run.host === undefined && job) results.push(result);
    if (run.host === undefined) isWithdrawnOne = isWithdrawn(job);
    else if (!isWithdrawn(job)) hostResults.push({ ...result, host: run.host });
    return false;
  });
  if (open.length === document.open.length) return document;
  const tested = new Set(hostResults.map(({ host }) => host));
  const earlier = document.hostResults.filter(({ host }) => !tested.has(host));
  const change = {
    results: latestOf([...results, ...document.results]),
    hostResults: latestOf([...hostResults, ...earlier]),
  };
  return revised(isWithdrawnOne ? dueAgain(document) : document, { open, ...change }, now);
}

function latestOf<T extends CanaryResult>(results: readonly T[]): readonly T[] {
  return [...results].sort((a, b) => b.endedAt.getTime() - a.endedAt.getTime()).slice(0, mostResults);
}

/** True if core itself cancelled the job, and no attempt of it has started. */
function isWithdrawn(job: CanaryJob | undefined): boolean {
  if (job?.state !== 'CANCELLED' || job.attempts.at(-1)?.startedAt) return false;
  return job.transitions.at(-1)?.actor === canaryOwner;
}

function goneResult({ at, settings }: CanaryRun, jobId: string, now: Date): CanaryResult {
  const digest = settingsDigest(settings);
  return { jobId, outcome: 'CANCELLED', settings: digest, submittedAt: at, endedAt: now };
}

function resultOf({ at, settings }: CanaryRun, job: CanaryJob, now: Date): CanaryResult {
  const { _id: jobId, state, stateTimes, attempts, error } = job;
  const last = attempts.at(-1);
  const endedAt = stateTimes[state] ?? now;
  const seconds = last?.startedAt && (endedAt.getTime() - last.startedAt.getTime()) / 1000;
  return {
    ...{ jobId, outcome: outcomes[state] ?? 'CANCELLED', settings: settingsDigest(settings) },
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
  current: CurrentCanary | undefined,
  isWaiting: boolean,
  now: Date,
): boolean {
  if (!current) return true;
  if (!isWaiting) return false;
  const longestMs = Math.max(longestWaitMs, settings.intervalSeconds * 1000);
  return settingsDigest(settings) !== current.digest || at.getTime() + longestMs <= now.getTime();
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
  readonly hostProblem: string | null;
}

/**
 * Health by the results of the latest day, of the latest {@link mostResults} jobs at most. A queue without
 * canary jobs has no problem with them: the results are its history.
 */
export function healthOf(
  { open, results, problem, hostProblem }: CanaryDocument,
  hasCanaries: boolean,
  now: Date,
): QueueHealth {
  const since = new Date(now.getTime() - windowMs);
  const counted = results.filter(({ outcome, endedAt }) => outcome !== 'CANCELLED' && endedAt >= since);
  const succeeded = counted.filter(({ outcome }) => outcome === 'SUCCEEDED').length;
  return {
    latest: results[0] ?? null,
    openSince: open.find(({ host }) => host === undefined)?.at ?? null,
    canaryCount: counted.length,
    successFraction: counted.length === 0 ? null : succeeded / counted.length,
    since,
    problem: (hasCanaries && problem?.message) || null,
    hostProblem: (hasCanaries && hostProblem?.message) || null,
  };
}
