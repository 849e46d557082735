/** Totals of a simulation: what would have happened to how many jobs, and what it would have cost. Pure. */
import type { FailureOutcome } from '../../jobs/model/decision.types.js';
import type { StoredAttempt } from '../../jobs/model/job.types.js';
import type { Replay, ReplayedAttempt, ReplayedJob } from './replay.js';

/** Decisions of one rule. */
export interface RuleTotals {
  readonly name: string;
  readonly retried: number;
  readonly failed: number;
  readonly held: number;
  /** Failures at which the rule acts on a task or a host, or retries the job later. */
  readonly effects: number;
  /** Jobs about which the rule decides. */
  readonly jobs: number;
}

/** A job for which something else would have happened. */
export interface SimulatedChange {
  readonly jobId: string;
  readonly attempt: number;
  readonly rule: string | null;
  readonly happened: FailureOutcome;
  readonly wouldHappen: FailureOutcome;
}

/** Sums. Times are those of payloads, multiplied by cores, GPUs or MiB, in seconds. */
const sums = [
  'scannedJobs',
  'failedJobs',
  'failedAttempts',
  'changedJobs',
  'stoppedJobs',
  'stoppedFinishedJobs',
  'continuedJobs',
  'resizedJobs',
  'attemptsWithoutLog',
  'savedCoreSeconds',
  'savedGpuSeconds',
  'addedCoreSeconds',
  'addedGpuSeconds',
  'addedMemoryMiBSeconds',
] as const;

/** Numbers of a simulation. */
export type SimulationSums = Readonly<Record<(typeof sums)[number], number>>;

/** Totals so far. */
export interface SimulationTotals extends SimulationSums {
  readonly rules: readonly RuleTotals[];
  readonly samples: readonly SimulatedChange[];
}

/** Most sample jobs. */
const mostSamples = 20;

/** Totals of nothing. @param rules names of the rules, in their order */
export function noTotals(rules: readonly string[]): SimulationTotals {
  return {
    ...(Object.fromEntries(sums.map((name) => [name, 0])) as SimulationSums),
    samples: [],
    rules: rules.map((name) => ({ name, retried: 0, failed: 0, held: 0, effects: 0, jobs: 0 })),
  };
}

/** Totals with some sums raised. */
export function raised(totals: SimulationTotals, by: Partial<SimulationSums>): SimulationTotals {
  const added = Object.entries(by) as [keyof SimulationSums, number][];
  return { ...totals, ...Object.fromEntries(added.map(([name, value]) => [name, totals[name] + value])) };
}

/** Returns true for a value that has the form of totals. */
export function isTotals(value: unknown, rules: number): value is SimulationTotals {
  if (typeof value !== 'object' || value === null) return false;
  const totals = value as Readonly<Record<string, unknown>>;
  const [own, samples] = [totals['rules'], totals['samples']];
  return (
    sums.every((name) => Number.isFinite(totals[name])) &&
    Array.isArray(own) &&
    own.length === rules &&
    Array.isArray(samples) &&
    samples.length <= mostSamples
  );
}

/** Adds one job. @param policyId the policy whose rules are counted */
export function addJob(
  totals: SimulationTotals,
  job: ReplayedJob,
  { attempts }: Replay,
  policyId: string,
): SimulationTotals {
  if (attempts.length === 0) return totals;
  const changed = attempts.find(
    ({ happened, wouldHappen, nextThen, nextNow }) =>
      happened !== wouldHappen || (wouldHappen === 'RETRY' && !isSameSize(nextThen, nextNow)),
  );
  const { isStopped, isContinued, isResized, ...costs } = costsOf(job, attempts);
  return {
    ...raised(totals, {
      failedJobs: 1,
      failedAttempts: attempts.length,
      changedJobs: Number(changed !== undefined),
      stoppedJobs: Number(isStopped),
      stoppedFinishedJobs: Number(isStopped && job.state === 'FINISHED'),
      continuedJobs: Number(isContinued),
      resizedJobs: Number(isResized),
      ...costs,
    }),
    rules: totals.rules.map((rule) => ruleWith(rule, attempts, policyId)),
    samples:
      changed && totals.samples.length < mostSamples
        ? [...totals.samples, sampleOf(job, changed)]
        : totals.samples,
  };
}

function sampleOf(job: ReplayedJob, one: ReplayedAttempt): SimulatedChange {
  const { attempt, decision, happened, wouldHappen } = one;
  return { jobId: job._id, attempt: attempt.number, rule: decision?.rule ?? null, happened, wouldHappen };
}

type Sized = Pick<ReplayedAttempt['nextNow'], 'memoryMiB' | 'walltimeSeconds' | 'diskMiB'>;

function isSameSize(a: Sized, b: Sized): boolean {
  return a.memoryMiB === b.memoryMiB && a.walltimeSeconds === b.walltimeSeconds && a.diskMiB === b.diskMiB;
}

function costsOf(job: ReplayedJob, attempts: readonly ReplayedAttempt[]) {
  const { cores, gpu } = job.requirements;
  const last = attempts.at(-1);
  const isStopped = last?.happened === 'RETRY' && last.wouldHappen !== 'RETRY';
  const isContinued = last !== undefined && last.happened !== 'RETRY' && last.wouldHappen === 'RETRY';
  const later = last ? job.attempts.filter(({ number }) => number > last.attempt.number) : [];
  const saved = isStopped ? later.reduce((sum, one) => sum + secondsOf(one), 0) : 0;
  // It is unknown how long the attempt would have run: as long as the one before.
  const added = isContinued ? secondsOf(last.attempt) : 0;
  const gpus = gpu?.count ?? 0;
  return {
    isStopped,
    isContinued,
    isResized: attempts.some((one) => isRetriedBoth(one) && !isSameSize(one.nextThen, one.nextNow)),
    savedCoreSeconds: cores * saved,
    savedGpuSeconds: gpus * saved,
    addedCoreSeconds: cores * added,
    addedGpuSeconds: gpus * added,
    addedMemoryMiBSeconds: attempts.reduce((sum, one) => sum + addedMemory(job, one), 0),
  };
}

function isRetriedBoth({ happened, wouldHappen }: ReplayedAttempt): boolean {
  return happened === 'RETRY' && wouldHappen === 'RETRY';
}

function addedMemory({ attempts }: ReplayedJob, one: ReplayedAttempt): number {
  if (!isRetriedBoth(one)) return 0;
  const next = attempts.find(({ number }) => number === one.attempt.number + 1);
  return (one.nextNow.memoryMiB - one.nextThen.memoryMiB) * secondsOf(next);
}

/** Time for which an attempt ran. */
function secondsOf(attempt: StoredAttempt | undefined): number {
  if (!attempt?.endedAt || !attempt.startedAt) return 0;
  return (attempt.endedAt.getTime() - attempt.startedAt.getTime()) / 1000;
}

function ruleWith(totals: RuleTotals, attempts: readonly ReplayedAttempt[], policyId: string): RuleTotals {
  const own = attempts.filter(
    ({ decision }) => decision?.policyId === policyId && decision.rule === totals.name,
  );
  const effects = attempts
    .flatMap(({ decision }) => decision?.effects ?? [])
    .filter((effect) => effect.policyId === policyId && effect.rule === totals.name).length;
  if (own.length + effects === 0) return totals;
  const count = (outcome: FailureOutcome): number =>
    own.filter(({ wouldHappen }) => wouldHappen === outcome).length;
  return {
    name: totals.name,
    retried: totals.retried + count('RETRY'),
    failed: totals.failed + count('FAIL'),
    held: totals.held + count('HOLD'),
    effects: totals.effects + effects,
    jobs: totals.jobs + 1,
  };
}
