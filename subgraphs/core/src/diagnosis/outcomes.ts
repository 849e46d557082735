/** Outcomes of other jobs that had failed in the same way. Pure. */
import type { JobDocument, StoredAttempt } from '../jobs/model/job.types.js';
import { plural } from '../shared/plural.js';
import type { ChangeKind, Help } from './diagnosis.types.js';

/** Stored fields of a job that was looked at, or of its copy. */
export const outcomeFields = {
  experiment: 1,
  state: 1,
  requirements: 1,
  attempts: 1,
  metrics: 1,
  retriedBy: 1,
  retryOf: 1,
} as const;

/** A job that was looked at, or its copy. */
export type OutcomeJob = Pick<
  JobDocument,
  '_id' | 'state' | 'requirements' | 'attempts' | 'metrics' | 'retriedBy'
>;

/** Way in which an attempt failed. */
export interface FailedWay {
  readonly code: string;
  /** Of a payload; undefined for others. */
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
}

/** Runs with a change, and what finished ones used. */
export interface Outcome {
  readonly change: ChangeKind;
  readonly tried: number;
  /** Jobs that finished, as they were looked at. */
  readonly finished: readonly string[];
  /** Largest peaks and requests of those that finished. */
  readonly peakMemoryMiB: number;
  readonly memoryMiB: number;
  readonly walltimeSeconds: number;
  readonly diskMiB: number;
}

type Place = Pick<StoredAttempt, 'host' | 'site'>;
interface Run {
  readonly jobId: string;
  readonly changes: readonly ChangeKind[];
  readonly isFinished: boolean;
  readonly job: OutcomeJob;
}

const shownJobs = 5;

/** Outcomes of jobs with an attempt that failed in a way, by change; the most helpful first. */
export function outcomesOf(
  way: FailedWay,
  jobs: readonly OutcomeJob[],
  copies: ReadonlyMap<string, OutcomeJob>,
): readonly Outcome[] {
  const byChange = new Map<ChangeKind, Run[]>();
  for (const job of jobs) {
    const run = runAfter(way, job, copies);
    for (const change of run?.changes ?? [])
      byChange.set(change, [...(byChange.get(change) ?? []), run as Run]);
  }
  return [...byChange]
    .map(([change, runs]) => outcomeOf(change, runs))
    .sort((one, other) => rateOf(other) - rateOf(one) || other.finished.length - one.finished.length);
}

/** Outcomes as they are shown. */
export function helpOf(outcomes: readonly Outcome[]): readonly Help[] {
  return outcomes
    .filter(({ finished }) => finished.length > 0)
    .map(({ change, tried, finished }) => ({
      change,
      statement: `${finished.length} of ${plural(tried, 'similar job')} finished ${afterText[change]}.`,
      ...{ triedCount: tried, finishedCount: finished.length, jobIds: finished.slice(0, shownJobs) },
    }));
}

const afterText: Readonly<Record<ChangeKind, string>> = {
  MORE_MEMORY: 'after a retry with more memory',
  MORE_WALLTIME: 'after a retry with a longer walltime',
  MORE_DISK: 'after a retry with more scratch space',
  OTHER_SITE: 'after a retry at another site',
  OTHER_HOST: 'after a retry on another host of the site',
  NONE: 'after a retry without a change',
};

/** The end of the job after its first such failure: of its later attempts, or of its copy. */
function runAfter(way: FailedWay, job: OutcomeJob, copies: ReadonlyMap<string, OutcomeJob>): Run | undefined {
  const position = job.attempts.findIndex((attempt) => hasFailed(attempt, way));
  const failed = job.attempts[position];
  if (!failed) return undefined;
  const later = job.attempts.slice(position + 1);
  const copy = job.retriedBy === undefined ? undefined : copies.get(job.retriedBy);
  if (copy && hasRun(copy))
    return runOf(job._id, copy, requirementChanges(job, copy), placeChanges(failed, copy.attempts.at(-1)));
  const last = later.at(-1);
  if (!last || !hasRun(job)) return undefined;
  const decided = [failed, ...later.slice(0, -1)].flatMap(({ decision }) => decision?.changes ?? []);
  const changed = decided
    .filter(({ before, after }) => after > before)
    .map(({ field }) => changeOfField[field]);
  return runOf(job._id, job, [...new Set(changed)], placeChanges(failed, last));
}

/** A run that somebody ended shows nothing. */
function hasRun({ state }: OutcomeJob): boolean {
  return state === 'FINISHED' || state === 'FAILED';
}

/** Another place is the change only if the requirements are the same: nearly each run has another host. */
function runOf(
  jobId: string,
  job: OutcomeJob,
  requirements: readonly ChangeKind[],
  places: readonly ChangeKind[],
): Run {
  const isFinished = job.state === 'FINISHED';
  const changes = requirements.length > 0 ? requirements : places;
  return { jobId, job, isFinished, changes: changes.length === 0 ? ['NONE'] : changes };
}

const changeOfField = {
  memoryMiB: 'MORE_MEMORY',
  walltimeSeconds: 'MORE_WALLTIME',
  diskMiB: 'MORE_DISK',
} as const;

function requirementChanges(job: OutcomeJob, copy: OutcomeJob): readonly ChangeKind[] {
  return (['memoryMiB', 'walltimeSeconds', 'diskMiB'] as const).flatMap((field) =>
    copy.requirements[field] > job.requirements[field] ? [changeOfField[field]] : [],
  );
}

function placeChanges(failed: Place, later: Place | undefined): readonly ChangeKind[] {
  if (failed.host === undefined || later?.host === undefined) return [];
  if (failed.site !== later.site) return ['OTHER_SITE'];
  return failed.host === later.host ? [] : ['OTHER_HOST'];
}

function hasFailed({ error, exitCode, signal }: StoredAttempt, way: FailedWay): boolean {
  const isSame = way.exitCode === undefined || exitCode === way.exitCode;
  return error?.code === way.code && isSame && (way.signal === undefined || signal === way.signal);
}

function outcomeOf(change: ChangeKind, runs: readonly Run[]): Outcome {
  const finished = runs.filter(({ isFinished }) => isFinished);
  const most = (value: (job: OutcomeJob) => number | undefined): number =>
    Math.max(0, ...finished.map(({ job }) => value(job) ?? 0));
  return {
    change,
    tried: runs.length,
    finished: finished.map(({ jobId }) => jobId),
    peakMemoryMiB: most(({ metrics }) => metrics?.peakMemoryMiB),
    memoryMiB: most(({ requirements }) => requirements.memoryMiB),
    walltimeSeconds: most(({ requirements }) => requirements.walltimeSeconds),
    diskMiB: most(({ requirements }) => requirements.diskMiB),
  };
}

function rateOf({ finished, tried }: Outcome): number {
  return finished.length / tried;
}
