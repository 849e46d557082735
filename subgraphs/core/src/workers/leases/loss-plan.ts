/** Pure rules for the jobs of a worker whose lease has ended. */
import { type Continuity, defaultContinuity } from '../../shared/continuity.js';
import type { LeaseDocument, RetainedJob } from '../worker.types.js';
import type { LedgerEntry } from '../../scheduler/scheduler.types.js';
import type { GrantRef } from '../../scheduler/dispatch/requeue-grants.js';

/** Consequences of the end of a lease, for now. */
export interface LossPlan {
  /** Nothing of the worker can return: it is lost, and all its jobs are requeued. */
  readonly isOver: boolean;
  /** Jobs whose payloads stopped with the lease. */
  readonly stopped: readonly GrantRef[];
  /** Jobs that another worker may get, although their payloads may still run. */
  readonly due: readonly GrantRef[];
  /** Last time at which a payload of the worker may still run. */
  readonly until: Date;
  /** Next time at which something follows. */
  readonly nextAt: Date;
  /** Jobs whose devices stay booked, in addition to those of the lease. */
  readonly retained: readonly RetainedJob[];
}

type Held = Pick<LedgerEntry, 'jobId' | 'fence' | 'continuity' | 'deviceIds' | 'requirements'>;

/** Decides what follows now for the jobs that a worker held when its lease ended. */
export function planLoss(
  lease: Pick<LeaseDocument, 'lostAt' | 'until'>,
  held: readonly Held[],
  now: Date,
): LossPlan {
  const lostAt = lease.lostAt ?? now;
  const after = (seconds: number): Date => new Date(lostAt.getTime() + seconds * 1000);
  const running = held.filter((job) => times(job).continueSeconds > 0);
  const stopped = held.filter((job) => times(job).continueSeconds === 0);
  const until = latest([lease.until ?? lostAt, ...running.map((job) => after(times(job).continueSeconds))]);
  const giveAways = running.map((job) => ({ job, at: after(times(job).reassignAfterSeconds) }));
  const later = giveAways.filter(({ at }) => at > now).map(({ at }) => at.getTime());
  return {
    isOver: until <= now,
    stopped: stopped.map(refOf),
    due: giveAways.filter(({ at }) => at <= now).map(({ job }) => refOf(job)),
    until,
    nextAt: new Date(Math.min(until.getTime(), ...later)),
    retained: running
      .filter(({ deviceIds }) => deviceIds.length > 0)
      .map((job) => retainedOf(job, after(times(job).continueSeconds))),
  };
}

function times({ continuity }: Held): Continuity {
  return continuity ?? defaultContinuity;
}

function latest(dates: readonly Date[]): Date {
  return new Date(Math.max(...dates.map((date) => date.getTime())));
}

function refOf({ jobId, fence }: Held): GrantRef {
  return { jobId, fence };
}

function retainedOf({ jobId, fence, deviceIds, requirements: { gpu } }: Held, until: Date): RetainedJob {
  return {
    jobId,
    fence,
    until,
    deviceIds,
    ...(gpu?.share === undefined ? {} : { share: gpu.share }),
    ...(gpu?.shareMemoryMiB === undefined ? {} : { shareMemoryMiB: gpu.shareMemoryMiB }),
    ...(gpu?.exclusive === true ? { exclusive: true as const } : {}),
  };
}
