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
import { type FleetLoad, lagOf, scale } from '../model/scaling.js';
import type { FleetChange, NewDecision } from './fleet-journal.js';

/** Work and jobs of a fleet at a time. */
export interface FleetView {
  readonly now: Date;
  readonly pool: {
    readonly isClosed: boolean;
    readonly waiting: number;
    readonly leased: number;
    readonly oldestSeconds: number;
  };
  readonly rates: Pick<FleetLoad, 'arrivalsPerSecond' | 'unitsPerJobSecond'>;
  /** The members of the fleet, in order. */
  readonly jobs: readonly FleetJob[];
  readonly stateOf: (jobId: string) => JobState | undefined;
  /** False while new jobs exceed a quota. */
  readonly mayStart: boolean;
}

/** Failures one after another from which on the next job waits. */
const manyFailures = 3;
const firstPauseMs = 5000;
const longestPauseMs = 300_000;

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
  const drained = fleet.state === 'DRAINING' ? undefined : drainedBy(fleet, view, members);
  const change = drained ?? decided ?? failing(fleet, failures, view);
  if (change) return { decision: change.decision, patch: { ...patch, ...change.patch } };
  return ended.length > 0 ? { patch } : undefined;
}

type Decided = Required<Pick<FleetChange, 'decision' | 'patch'>>;

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
  const { cancel, message } = planOf(fleet, view, 0);
  if (cancel.length === 0) return undefined;
  return { decision: { ...facts, reason: 'UNRESPONSIVE', message, cancel }, patch: {} };
}

function decisionOfRunning(fleet: FleetDocument, view: FleetView): Decided | undefined {
  const { settings, target: previousTarget } = fleet;
  const active = view.jobs.filter(isActive);
  const running = active.filter(({ phase }) => phase === 'HELD').length;
  const idle = active.filter(({ idleSeconds }) => idleSeconds >= settings.idleSeconds).length;
  const scaling = scale(settings, fleet, { ...view.pool, ...view.rates, running, idle }, view.now);
  const target = scaling?.target ?? previousTarget;
  const { start, release, cancel, ...planned } = planOf(fleet, view, target);
  if (!scaling && start.length + release.length + cancel.length === 0) return undefined;
  const { reason, message } = scaling ?? planned;
  const decision = {
    ...{ reason, message, by: fleetActor, target, previousTarget, jobs: active.length },
    ...{ start, release, cancel },
    ...loadOf(view, running),
  };
  return { decision, patch: target === previousTarget ? {} : { target, targetAt: view.now } };
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
  });
}

/** Most jobs that may start: after many failures one at a time, each after a longer pause. */
function mostStartsOf({ state, failures }: FleetDocument, { now, mayStart, jobs }: FleetView): number {
  if (!mayStart || state !== 'RUNNING') return 0;
  if (!failures || failures.count < manyFailures) return maxStarts;
  const isTrying = jobs.some((job) => isActive(job) && job.phase === 'WAITING');
  return !isTrying && now.getTime() >= failures.lastAt.getTime() + pauseMs(failures) ? 1 : 0;
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
  const message = `${failures.count} jobs have failed one after another; the next one starts in ${pauseMs(failures) / 1000} s`;
  const jobs = view.jobs.filter(isActive).length;
  const decision = { reason, message, by: fleetActor, target, previousTarget: target, jobs };
  return { decision: { ...decision, ...loadOf(view) }, patch: {} };
}

function failuresAfter(
  { failures, members }: FleetDocument,
  ended: readonly FleetJob[],
  { stateOf, now }: FleetView,
): FailureStreak | undefined {
  const released = new Set(members.flatMap(({ id, releasedAt }) => (releasedAt ? [id] : [])));
  let streak = failures;
  for (const { id } of ended) {
    const state = stateOf(id);
    if (state === 'FINISHED') streak = undefined;
    else if (state === 'FAILED' && !released.has(id))
      streak = { count: (streak?.count ?? 0) + 1, lastAt: now };
  }
  return streak;
}

function remaining({ members }: FleetDocument, ended: readonly FleetJob[]): readonly FleetMember[] {
  const gone = new Set(ended.map(({ id }) => id));
  return members.filter(({ id }) => !gone.has(id));
}

function loadOf(
  { pool, rates, jobs }: FleetView,
  running?: number,
): Pick<NewDecision, 'waiting' | 'lagSeconds'> {
  const held = running ?? jobs.filter((job) => isActive(job) && job.phase === 'HELD').length;
  return { waiting: pool.waiting, lagSeconds: lagOf({ ...pool, ...rates, running: held, idle: 0 }) };
}
