/** Decides about the next change of a fleet. Pure, without I/O. */
import type { JobState } from '../../jobs/model/job-state.js';
import type { FleetDocument } from '../model/fleet.document.js';
import {
  ceilingOf,
  type FailureStreak,
  fleetActor,
  type FleetMember,
  type FleetReason,
  maxStarts,
} from '../model/fleet.types.js';
import { type FleetJob, isActive, planJobs } from '../model/job-plan.js';
import { type FleetLoad, lagOf, scale, type Scaling } from '../model/scaling.js';
import type { FleetChange, NewDecision } from './fleet-journal.js';

/** Work and jobs of a fleet at a time. */
export interface FleetView {
  readonly now: Date;
  readonly pool: {
    readonly isClosed: boolean;
    readonly waiting: number;
    readonly leased: number;
    /** Units that can be leased now, at most, and the time for which the oldest of them could be. */
    readonly ready: number;
    readonly oldestSeconds: number;
  };
  readonly rates: Pick<FleetLoad, 'arrivalsPerSecond' | 'unitsPerJobSecond'>;
  /** True if more jobs finished by themselves in the last minute than units were completed. */
  readonly isUnproductive?: boolean;
  /** The members of the fleet, in order. */
  readonly jobs: readonly FleetJob[];
  readonly stateOf: (jobId: string) => JobState | undefined;
  /** Most new jobs that a quota admits, with the quota; absent if there are no more than it admits. */
  readonly quota?: { readonly jobs: number; readonly message: string } | undefined;
}

/** Failures one after another from which on the next job waits. */
const manyFailures = 3;
const firstPauseMs = 5000;
const longestPauseMs = 300_000;
/** Time without a failure after which earlier ones are forgotten if jobs run: two attempts at least. */
const forgottenMs = 2 * longestPauseMs;

/** The next change; undefined if there is none to make. */
export function nextChange(fleet: FleetDocument, view: FleetView): FleetChange | undefined {
  const ended = view.jobs.filter(({ phase }) => phase === 'ENDED');
  const failures = failuresAfter(fleet, ended, view);
  const members = remaining(fleet, ended);
  const patch = {
    ...(ended.length > 0 ? { members } : {}),
    ...(failures === fleet.failures ? {} : { failures: failures ?? null }),
  };
  const decided =
    fleet.state === 'RUNNING'
      ? decisionOfRunning({ ...fleet, failures }, view)
      : fleet.state === 'DRAINING'
        ? decisionOfDraining(fleet, view, members)
        : undefined;
  const isOpen = fleet.state === 'RUNNING' || fleet.state === 'PAUSED';
  const drained = isOpen ? drainedBy(fleet, view, members) : undefined;
  const change = drained ?? decided ?? failing(fleet, failures, view);
  if (change) return { decision: change.decision, patch: { ...patch, ...change.patch } };
  return ended.length > 0 ? { patch } : undefined;
}

type Decided = Required<FleetChange>;

/** Change by which a fleet drains: no job receives further units, and those that wait are cancelled. */
export function drain(
  fleet: Pick<FleetDocument, 'target'>,
  jobs: readonly FleetJob[],
  facts: Pick<NewDecision, 'reason' | 'message' | 'by'>,
): Decided {
  const active = jobs.filter(isActive);
  const waiting = jobs.filter(({ phase }) => phase === 'WAITING');
  const decision = {
    ...facts,
    ...{ target: 0, previousTarget: fleet.target, jobs: active.length },
    release: active.filter(({ phase }) => phase === 'HELD').map(({ id }) => id),
    cancel: waiting.map(({ id }) => id),
  };
  return { decision, patch: { state: 'DRAINING', target: 0, prewarm: null } };
}

function drainedBy(
  fleet: FleetDocument,
  view: FleetView,
  members: readonly FleetMember[],
): Decided | undefined {
  const { isClosed, waiting, leased } = view.pool;
  if (!isClosed || waiting + leased > 0) return undefined;
  const { decision, patch } = drain(fleet, view.jobs, {
    reason: 'POOL_DRAINED',
    message: 'the pool is closed, and all of its units have ended',
    by: fleetActor,
  });
  return { decision: { ...decision, ...loadOf(view) }, patch: { ...patch, members } };
}

function decisionOfDraining(
  fleet: FleetDocument,
  view: FleetView,
  members: readonly FleetMember[],
): Decided | undefined {
  const facts = { target: 0, previousTarget: fleet.target, jobs: 0, by: fleetActor, ...loadOf(view) };
  if (members.length === 0)
    return {
      decision: { ...facts, reason: 'ENDED', message: 'all jobs have ended' },
      patch: { state: 'ENDED', endedAt: view.now },
    };
  const { release, cancel, overdue, message } = planOf(fleet, view, 0);
  if (release.length + cancel.length + overdue.length === 0) return undefined;
  return { decision: { ...facts, reason: 'UNRESPONSIVE', message, release, cancel, overdue }, patch: {} };
}

function decisionOfRunning(fleet: FleetDocument, view: FleetView): Decided | undefined {
  const { settings, target: previousTarget } = fleet;
  const active = view.jobs.filter(isActive);
  const load = loadWith(view, active, settings.idleSeconds);
  const wanted = scale(settings, fleet, load, view.now);
  const scaling = affordable(wanted, fleet, view, active.length);
  const target = scaling?.target ?? previousTarget;
  const { start, release, cancel, overdue, runningBefore, ...planned } = planOf(fleet, view, target);
  if (!scaling && start.length + release.length + cancel.length + overdue.length === 0)
    return exceeding(fleet, view, wanted?.target ?? previousTarget);
  const { reason, message } = scaling ?? planned;
  const decision = {
    ...{ reason, message, by: fleetActor, target, previousTarget, jobs: active.length },
    ...{ start, release, cancel, overdue },
    ...loadOf(view),
  };
  const patch = {
    ...(target === previousTarget ? {} : { target, targetAt: view.now }),
    ...(runningBefore === fleet.runningBefore ? {} : { runningBefore: runningBefore ?? null }),
  };
  return { decision, patch };
}

function planOf(fleet: FleetDocument, view: FleetView, target: number) {
  const { settings, template } = fleet;
  const { queues, drainSeconds, min } = settings;
  return planJobs({
    ...{ target, queues, drainSeconds, jobs: view.jobs, now: view.now },
    ceiling: ceilingOf(settings),
    floor: Math.min(min, target),
    version: template.version,
    mostStarts: mostStartsOf(fleet, view),
    runningBefore: fleet.runningBefore ?? 0,
    isFailing: fleet.failures !== undefined,
  });
}

/** Most jobs that may start: after many failures one at a time, each after a longer pause. */
function mostStartsOf({ state, failures }: FleetDocument, { now, quota, jobs }: FleetView): number {
  const most = quota?.jobs ?? maxStarts;
  if (most === 0 || state !== 'RUNNING') return 0;
  if (!failures || failures.count < manyFailures) return most;
  const isTrying = jobs.some((job) => isActive(job) && job.phase === 'WAITING');
  return !isTrying && now.getTime() >= failures.lastAt.getTime() + pauseMs(failures) ? 1 : 0;
}

/** The scaling, with no more jobs than the quota admits. */
function affordable(
  scaling: Scaling | undefined,
  { target }: Pick<FleetDocument, 'target'>,
  { quota }: FleetView,
  active: number,
): Scaling | undefined {
  if (!scaling || !quota || scaling.target <= Math.max(target, active + quota.jobs)) return scaling;
  if (active + quota.jobs <= target) return undefined;
  return { ...scaling, target: active + quota.jobs, message: `${scaling.message}; ${quota.message}` };
}

/** The decision that shows that a quota admits no more jobs. */
function exceeding(
  { target, latest }: Pick<FleetDocument, 'target' | 'latest'>,
  view: FleetView,
  wanted: number,
): Decided | undefined {
  const { quota, jobs } = view;
  const active = jobs.filter(isActive).length;
  if (!quota || quota.jobs > 0 || wanted <= active || latest?.reason === 'QUOTA') return undefined;
  const facts = { reason: 'QUOTA', message: quota.message, by: fleetActor } as const;
  const decision = { ...facts, target, previousTarget: target, jobs: active, ...loadOf(view) };
  return { decision, patch: {} };
}

function pauseMs({ count }: FailureStreak): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(10, count - manyFailures));
}

/** The decision that shows that jobs fail one after another. */
function failing(
  { failures: before, target }: FleetDocument,
  failures: FailureStreak | undefined,
  view: FleetView,
): Decided | undefined {
  if (!failures || failures.count < manyFailures || failures.count === before?.count) return undefined;
  const reason: FleetReason = 'FAILING';
  const message = `${failures.count} jobs, one after another, have failed or finished without a unit; the next one starts in ${pauseMs(failures) / 1000} s`;
  const jobs = view.jobs.filter(isActive).length;
  const decision = { reason, message, by: fleetActor, target, previousTarget: target, jobs };
  return { decision: { ...decision, ...loadOf(view) }, patch: {} };
}

/**
 * Failures of jobs of the newest version one after another. A job that finished counts as one if the jobs
 * finish faster than they complete units: payloads that end at once would be replaced without end.
 */
function failuresAfter(
  { failures, members, template }: FleetDocument,
  ended: readonly FleetJob[],
  { stateOf, now, jobs, isUnproductive }: FleetView,
): FailureStreak | undefined {
  const released = new Set(members.flatMap(({ id, releasedAt }) => (releasedAt ? [id] : [])));
  let streak = failures;
  for (const { id, version } of ended) {
    if (version !== template.version) continue;
    const state = stateOf(id);
    const isFailure = state === 'FAILED' || (state === 'FINISHED' && isUnproductive === true);
    if (state === 'FINISHED' && !isFailure) streak = undefined;
    else if (isFailure && !released.has(id)) streak = { count: (streak?.count ?? 0) + 1, lastAt: now };
  }
  const isOver = streak !== undefined && now.getTime() - streak.lastAt.getTime() >= forgottenMs;
  const works = jobs.some((job) => job.version === template.version && job.phase === 'HELD');
  return isOver && works ? undefined : streak;
}

function remaining({ members }: FleetDocument, ended: readonly FleetJob[]): readonly FleetMember[] {
  const gone = new Set(ended.map(({ id }) => id));
  return members.filter(({ id }) => !gone.has(id));
}

function loadOf(view: FleetView): Pick<NewDecision, 'waiting' | 'lagSeconds'> {
  const load = loadWith(view, view.jobs.filter(isActive), Infinity);
  return { waiting: view.pool.waiting, lagSeconds: lagOf(load) };
}

function loadWith({ pool, rates }: FleetView, active: readonly FleetJob[], idleSeconds: number): FleetLoad {
  const held = active.filter(({ phase }) => phase === 'HELD');
  const { ready: waiting, oldestSeconds } = pool;
  return {
    ...{ waiting, oldestSeconds, ...rates, running: held.length },
    busy: held.filter((job) => job.idleSeconds === 0).length,
    idle: held.filter((job) => job.idleSeconds >= idleSeconds).length,
  };
}
