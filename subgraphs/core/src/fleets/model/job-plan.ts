/** Pure rule for the jobs that a fleet starts, releases and cancels to have the wanted number of them. */
import { maxStarts, type FleetQueue, type FleetReason } from './fleet.types.js';

/** A job of the fleet as it is known. */
export interface FleetJob {
  readonly id: string;
  /** Version of its template. */
  readonly version: number;
  readonly queue?: string | undefined;
  readonly phase: 'WAITING' | 'HELD' | 'ENDED';
  readonly releasedAt?: Date | undefined;
  /** Time for which it has held no unit; 0 while it holds some. */
  readonly idleSeconds: number;
}

/** Numbers of jobs that are wanted. */
export interface PlanRequest {
  readonly target: number;
  /** Most jobs. */
  readonly ceiling: number;
  /** Fewest jobs that workers hold while jobs are replaced. */
  readonly floor: number;
  /** Version of the template. */
  readonly version: number;
  readonly queues: readonly FleetQueue[];
  readonly drainSeconds: number;
  /** Most jobs that may be started now. */
  readonly mostStarts: number;
  /** Jobs in the order of their creation. */
  readonly jobs: readonly FleetJob[];
  readonly now: Date;
}

/** Jobs to start, release and cancel, with the reason. */
export interface JobPlan {
  /** Queues of the jobs to start; '' for any queue. */
  readonly start: readonly string[];
  readonly release: readonly string[];
  readonly cancel: readonly string[];
  readonly reason: FleetReason;
  readonly message: string;
}

/** Part of the wanted jobs that is replaced at a time. */
const batchPart = 0.2;

/** True for a job that receives units, or will. */
export function isActive({ phase, releasedAt }: FleetJob): boolean {
  return phase !== 'ENDED' && releasedAt === undefined;
}

/** Plans the jobs. */
export function planJobs(request: PlanRequest): JobPlan {
  const { target, ceiling, version, mostStarts, jobs, now } = request;
  const active = jobs.filter(isActive);
  const overdue = jobs.filter((job) => isOverdue(job, request.drainSeconds, now));
  const outdated = active.filter((job) => job.version < version);
  const batch = Math.max(1, Math.ceil(target * batchPart));
  const surplus = surplusOf(active, active.length - target - (outdated.length > 0 ? batch : 0), version);
  const rolled = surplus.length > 0 ? nothing : rolledOf(request, active, outdated, batch);
  const cancelled = [
    ...overdue,
    ...[...surplus, ...rolled.leaving].filter(({ phase }) => phase === 'WAITING'),
  ];
  const released = [...surplus, ...rolled.leaving].filter(({ phase }) => phase === 'HELD');
  const left = active.length - surplus.length - rolled.leaving.length;
  const missing = Math.max(0, Math.min(ceiling, target + rolled.extra) - left);
  const start = placed(request, Math.min(missing, mostStarts, maxStarts), cancelled);
  return {
    start,
    release: released.map(({ id }) => id),
    cancel: cancelled.map(({ id }) => id),
    ...reasonOf({
      start: start.length,
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

/** Jobs that leave: those that wait, the newest first, and then idle ones. */
function surplusOf(active: readonly FleetJob[], count: number, version: number): readonly FleetJob[] {
  if (count <= 0) return [];
  const waiting = active.filter(({ phase }) => phase === 'WAITING').reverse();
  const idle = active
    .filter(({ phase, idleSeconds }) => phase === 'HELD' && idleSeconds > 0)
    .sort((one, other) => other.idleSeconds - one.idleSeconds);
  return [...outdatedFirst(waiting, version), ...outdatedFirst(idle, version)].slice(0, count);
}

/** Jobs of earlier versions that are replaced now. */
function rolledOf(
  { floor, version, mostStarts }: PlanRequest,
  active: readonly FleetJob[],
  outdated: readonly FleetJob[],
  batch: number,
): Rolled {
  const waiting = outdated.filter(({ phase }) => phase === 'WAITING').slice(0, mostStarts);
  // The jobs of the batch before must run.
  const isComing = active.some((job) => job.version === version && job.phase === 'WAITING');
  if (isComing || outdated.length === 0) return { leaving: waiting, extra: 0 };
  const running = active.filter(({ phase }) => phase === 'HELD').length;
  const most = Math.min(batch, running - floor, mostStarts - waiting.length);
  const held = outdated
    .filter(({ phase }) => phase === 'HELD')
    .sort((one, other) => other.idleSeconds - one.idleSeconds)
    .slice(0, Math.max(0, most));
  const leaving = [...waiting, ...held];
  return { leaving, extra: leaving.length > 0 ? 0 : batch };
}

function outdatedFirst(jobs: readonly FleetJob[], version: number): readonly FleetJob[] {
  return [...jobs.filter((job) => job.version < version), ...jobs.filter((job) => job.version >= version)];
}

function isOverdue({ phase, releasedAt }: FleetJob, drainSeconds: number, now: Date): boolean {
  if (phase === 'ENDED' || releasedAt === undefined) return false;
  return phase === 'WAITING' || now.getTime() - releasedAt.getTime() >= drainSeconds * 1000;
}

/** Queues of new jobs: those with the fewest jobs that wait, and then with the most free places. */
function placed(
  { queues, jobs }: PlanRequest,
  count: number,
  cancelled: readonly FleetJob[],
): readonly string[] {
  if (queues.length === 0) return Array.from({ length: count }, () => '');
  const gone = new Set(cancelled.map(({ id }) => id));
  const places = queues.map(({ queue, max }) => {
    const own = jobs.filter((job) => job.queue === queue && job.phase !== 'ENDED' && !gone.has(job.id));
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
  readonly surplus: number;
  readonly overdue: number;
  readonly outdated: number;
}): Pick<JobPlan, 'reason' | 'message'> {
  if (counts.outdated > 0)
    return { reason: 'TEMPLATE', message: `${counts.outdated} jobs have an earlier version of the template` };
  if (counts.surplus > 0) return { reason: 'SURPLUS', message: `${counts.surplus} jobs more than wanted` };
  if (counts.overdue > 0)
    return { reason: 'UNRESPONSIVE', message: `${counts.overdue} released jobs have not ended in time` };
  return { reason: 'REPLACED', message: `${counts.start} jobs fewer than wanted` };
}
