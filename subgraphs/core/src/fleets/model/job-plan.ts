/** Pure rule for the jobs that a fleet starts, releases and cancels to have the wanted number of them. */
import { isHeld, isTerminal, type JobState } from '../../jobs/model/job-state.js';
import { plural } from '../../shared/plural.js';
import { maxStarts, type FleetQueue, type FleetReason } from './fleet.types.js';

/** A job of the fleet as it is known. */
export interface FleetJob {
  readonly id: string;
  /** Version of its template. */
  readonly version: number;
  readonly queue?: string | undefined;
  readonly phase: 'WAITING' | 'HELD' | 'ENDED';
  readonly releasedAt?: Date | undefined;
  /** Time for which a worker has held it and it has held no unit; 0 while it holds some. */
  readonly idleSeconds: number;
}

/** Numbers of jobs that are wanted. */
export interface PlanRequest {
  readonly target: number;
  /** Most jobs, with released ones that have not ended. */
  readonly ceiling: number;
  /** Fewest jobs that workers hold while jobs are replaced. */
  readonly floor: number;
  /** Version of the template. */
  readonly version: number;
  readonly queues: readonly FleetQueue[];
  readonly drainSeconds: number;
  /** Most jobs that may be started now. */
  readonly mostStarts: number;
  /** Most jobs that ran together since the replacement of earlier ones began; 0 if none did. */
  readonly runningBefore: number;
  /** True while jobs of the version fail: none of an earlier version is replaced. */
  readonly isFailing: boolean;
  /** Jobs in the order of their creation. */
  readonly jobs: readonly FleetJob[];
  readonly now: Date;
}

/** Jobs to start, release and cancel, with the reason. */
export interface JobPlan {
  /** Queues of the jobs to start; '' for any queue. */
  readonly start: readonly string[];
  readonly release: readonly string[];
  /** Jobs that wait to run: those that run by now are released instead. */
  readonly cancel: readonly string[];
  /** Jobs that are cancelled even if they run. */
  readonly overdue: readonly string[];
  /** The number of {@link PlanRequest.runningBefore} from now on; undefined if no job is to be replaced. */
  readonly runningBefore: number | undefined;
  readonly reason: FleetReason;
  readonly message: string;
}

/** Part of the wanted jobs that is replaced at a time. */
const batchPart = 0.2;

/** Phase of a job in a state. One whose state is not known may have to be written first. */
export function phaseOf(state: JobState | undefined): FleetJob['phase'] {
  if (state === undefined) return 'WAITING';
  if (isTerminal(state)) return 'ENDED';
  return isHeld(state) ? 'HELD' : 'WAITING';
}

/** True for a job that receives units, or will. */
export function isActive({ phase, releasedAt }: FleetJob): boolean {
  return phase !== 'ENDED' && releasedAt === undefined;
}

/** True for a job to replace: of an earlier version, or without a queue although the fleet names some. */
export function isOutdated(
  job: Pick<FleetJob, 'version' | 'queue'>,
  version: number,
  queues: readonly FleetQueue[],
): boolean {
  return job.version < version || (queues.length > 0 && job.queue === undefined);
}

/** Plans the jobs. */
export function planJobs(request: PlanRequest): JobPlan {
  const { target, ceiling, mostStarts, jobs, now } = request;
  const overdue = jobs.filter((job) => isOverdue(job, request.drainSeconds, now));
  const all = jobs.filter(isActive);
  const excess = excessOf(request, all);
  const active = without(all, excess);
  const outdated = active.filter((job) => isOld(job, request));
  const batch = Math.max(1, Math.ceil(target * batchPart));
  const surplus = surplusOf(request, active, active.length - target - (outdated.length > 0 ? batch : 0));
  const before = Math.min(target, Math.max(request.runningBefore, runningOf(active)));
  const rolled = surplus.length > 0 ? nothing : rolledOf(request, { active, outdated, batch, before });
  const leaving = [...excess, ...surplus, ...rolled.leaving];
  const cancelled = [...overdue, ...leaving].filter(({ phase }) => phase === 'WAITING');
  const ended = overdue.filter(({ phase }) => phase === 'HELD');
  const gone = new Set([...cancelled, ...ended].map(({ id }) => id));
  // Released jobs may run for long.
  const live = jobs.filter(({ id, phase }) => phase !== 'ENDED' && !gone.has(id));
  const missing = Math.min(target + rolled.extra - (all.length - leaving.length), ceiling - live.length);
  const start = placed(request, Math.max(0, Math.min(missing, mostStarts, maxStarts)), live);
  return {
    start,
    release: leaving.filter(({ phase }) => phase === 'HELD').map(({ id }) => id),
    cancel: cancelled.map(({ id }) => id),
    overdue: ended.map(({ id }) => id),
    runningBefore: outdated.length > 0 ? before : undefined,
    ...reasonOf({
      start: start.length,
      excess: excess.length,
      surplus: surplus.length,
      overdue: overdue.length,
      outdated: rolled.leaving.length + rolled.extra > 0 ? outdated.length : 0,
    }),
  };
}

interface Rolled {
  readonly leaving: readonly FleetJob[];
  /** Jobs above the target that are started first. */
  readonly extra: number;
}

const nothing: Rolled = { leaving: [], extra: 0 };

/** Jobs above the most in total and in each queue. They leave whatever they do: a release loses no units. */
function excessOf(request: PlanRequest, active: readonly FleetJob[]): readonly FleetJob[] {
  const { queues, ceiling } = request;
  const most = new Map(queues.map(({ queue, max }) => [queue, max]));
  const names = new Set(queues.length === 0 ? [] : active.flatMap(({ queue }) => queue ?? []));
  const inQueues = [...names].flatMap((name) => {
    const own = active.filter(({ queue }) => queue === name);
    return leavingFirst(own, request).slice(0, Math.max(0, own.length - (most.get(name) ?? 0)));
  });
  const rest = without(active, inQueues);
  return [...inQueues, ...leavingFirst(rest, request).slice(0, Math.max(0, rest.length - ceiling))];
}

/** Jobs that leave: those that wait, the newest first, and then idle ones. */
function surplusOf(request: PlanRequest, active: readonly FleetJob[], count: number): readonly FleetJob[] {
  if (count <= 0) return [];
  const free = active.filter(({ phase, idleSeconds }) => phase === 'WAITING' || idleSeconds > 0);
  return leavingFirst(free, request).slice(0, count);
}

interface Rolling {
  readonly active: readonly FleetJob[];
  readonly outdated: readonly FleetJob[];
  readonly batch: number;
  readonly before: number;
}

/**
 * Jobs of earlier versions that are replaced now. Of the jobs that ran before, at most a batch is missing, so
 * that jobs of a version that does not run replace no more. If the fleet has lost slots meanwhile, and some
 * jobs of the version run, they are replaced one at a time.
 */
function rolledOf(request: PlanRequest, { active, outdated, batch, before }: Rolling): Rolled {
  const { target, floor, mostStarts, jobs, isFailing } = request;
  if (isFailing || outdated.length === 0) return nothing;
  const startsNow = mostStarts - Math.max(0, target - active.length);
  const waiting = outdated.filter(({ phase }) => phase === 'WAITING').slice(0, Math.max(0, startsNow));
  const running = runningOf(active);
  const isLeaving = jobs.some((job) => job.phase === 'HELD' && job.releasedAt !== undefined);
  const isProven = active.some((job) => job.phase === 'HELD' && !isOld(job, request));
  const more = Math.max(batch - Math.max(0, before - running), isProven && !isLeaving ? 1 : 0);
  const most = Math.min(more, running - floor, startsNow - waiting.length);
  const held = heldIdlestFirst(outdated).slice(0, Math.max(0, most));
  const leaving = [...waiting, ...held];
  return { leaving, extra: leaving.length === 0 && running <= floor ? batch : 0 };
}

function isOld(job: FleetJob, { version, queues }: PlanRequest): boolean {
  return isOutdated(job, version, queues);
}

function runningOf(active: readonly FleetJob[]): number {
  return active.filter(({ phase }) => phase === 'HELD').length;
}

function without(jobs: readonly FleetJob[], others: readonly FleetJob[]): readonly FleetJob[] {
  const gone = new Set(others.map(({ id }) => id));
  return jobs.filter(({ id }) => !gone.has(id));
}

/** In the order in which jobs leave: those that wait, the newest first, and then the longest idle ones. */
function leavingFirst(jobs: readonly FleetJob[], request: PlanRequest): readonly FleetJob[] {
  const waiting = jobs.filter(({ phase }) => phase === 'WAITING').reverse();
  const oldFirst = (some: readonly FleetJob[]): readonly FleetJob[] => [
    ...some.filter((job) => isOld(job, request)),
    ...some.filter((job) => !isOld(job, request)),
  ];
  return [...oldFirst(waiting), ...oldFirst(heldIdlestFirst(jobs))];
}

function heldIdlestFirst(jobs: readonly FleetJob[]): readonly FleetJob[] {
  return jobs
    .filter(({ phase }) => phase === 'HELD')
    .sort((one, other) => other.idleSeconds - one.idleSeconds);
}

function isOverdue({ phase, releasedAt }: FleetJob, drainSeconds: number, now: Date): boolean {
  if (phase === 'ENDED' || releasedAt === undefined) return false;
  return phase === 'WAITING' || now.getTime() - releasedAt.getTime() >= drainSeconds * 1000;
}

/** Queues of new jobs: those with the fewest jobs that wait, and then with the most free places. */
function placed({ queues }: PlanRequest, count: number, live: readonly FleetJob[]): readonly string[] {
  if (queues.length === 0) return Array.from({ length: count }, () => '');
  const places = queues.map(({ queue, max }) => {
    const own = live.filter((job) => job.queue === queue);
    return { queue, free: max - own.length, waiting: own.filter(({ phase }) => phase === 'WAITING').length };
  });
  const start: string[] = [];
  while (start.length < count) {
    const [best] = places
      .filter(({ free }) => free > 0)
      .sort((one, other) => one.waiting - other.waiting || other.free - one.free);
    if (!best) break;
    start.push(best.queue);
    best.free -= 1;
    best.waiting += 1;
  }
  return start;
}

function reasonOf(counts: {
  readonly start: number;
  readonly excess: number;
  readonly surplus: number;
  readonly overdue: number;
  readonly outdated: number;
}): Pick<JobPlan, 'reason' | 'message'> {
  if (counts.excess > 0)
    return { reason: 'MAXIMUM', message: `${plural(counts.excess, 'job')} more than permitted` };
  if (counts.outdated > 0)
    return {
      reason: 'TEMPLATE',
      message: `${plural(counts.outdated, 'job')} of an earlier version of the template`,
    };
  if (counts.surplus > 0)
    return { reason: 'SURPLUS', message: `${plural(counts.surplus, 'job')} more than wanted` };
  if (counts.overdue > 0)
    return {
      reason: 'UNRESPONSIVE',
      message: `${plural(counts.overdue, 'released job')} did not end in time`,
    };
  return { reason: 'REPLACED', message: `${plural(counts.start, 'job')} fewer than wanted` };
}
