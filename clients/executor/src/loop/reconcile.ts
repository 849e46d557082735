/** Compares core's record of pilots with the batch system. What is not known changes nothing. Pure. */
import type { BatchJob, Listing } from '../providers/provider.types.js';
import type { OpenPilot, PilotEnd, PilotState, QueueTimes, Reconciliation, Report } from './loop.types.js';

/** Time after the end of its idle time by which a pilot that had no job has ended. */
const idleSlackMs = 30_000;

/**
 * Finds what to report and to cancel. The list must have been read before the record: each batch job then has
 * a pilot, unless that has ended, or is in the record of another system.
 */
export function reconcile(
  pilots: readonly OpenPilot[],
  listing: Listing,
  times: QueueTimes,
  nowMs: number,
): Reconciliation {
  if (!listing.isComplete) return { reports: [], cancels: [], unrecorded: [], ended: [], pilots };
  const jobs = new Map(listing.jobs.map((job) => [keyOf(job), job]));
  const reports: Report[] = [];
  const cancels: BatchJob[] = [];
  const ended: { id: string; end: PilotEnd; isListed: boolean }[] = [];
  const after: OpenPilot[] = [];
  for (const pilot of pilots) {
    const job = jobs.get(keyOf(pilot));
    jobs.delete(keyOf(pilot));
    const report = job ? ofListed(pilot, job, times, nowMs) : ofMissing(pilot, times, nowMs);
    if (job && (job.state === 'REFUSED' || isHeldTooLong(pilot, job, times, nowMs))) cancels.push(job);
    if (report) reports.push(report);
    const state = report?.state ?? pilot.state;
    if (state === 'ENDED' || state === 'REFUSED')
      ended.push({
        id: pilot.id,
        end: state === 'REFUSED' ? 'REFUSED' : endOf(pilot, times),
        isListed: job?.state === 'ENDED',
      });
    else after.push({ ...pilot, state, batchJobId: report?.batchJobId ?? pilot.batchJobId });
  }
  const unrecorded = [...jobs.values()].filter(({ state }) => state !== 'ENDED');
  return { reports, cancels, unrecorded, ended, pilots: after };
}

function ofListed(pilot: OpenPilot, job: BatchJob, times: QueueTimes, nowMs: number): Report | undefined {
  const isHeldLong = isHeldTooLong(pilot, job, times, nowMs);
  const state: PilotState = isHeldLong ? 'REFUSED' : job.state;
  if (state === pilot.state && job.batchJobId === pilot.batchJobId) return undefined;
  return { id: pilot.id, state, batchJobId: job.batchJobId, reason: job.reason };
}

function isHeldTooLong(
  { state, changedAtMs }: OpenPilot,
  job: BatchJob,
  times: QueueTimes,
  nowMs: number,
): boolean {
  return job.state === 'HELD' && state === 'HELD' && nowMs - changedAtMs > times.heldMs;
}

/**
 * The heartbeats of its worker say more of a pilot than the batch system, which forgets ended jobs. A pilot
 * that has lost its worker may register another one.
 */
function ofMissing(pilot: OpenPilot, times: QueueTimes, nowMs: number): Report | undefined {
  const { id, state, worker } = pilot;
  if (worker?.isOpen) return undefined;
  if (state === 'REQUESTED' && !worker)
    return nowMs - pilot.changedAtMs > times.submitMs
      ? { id, state: 'REFUSED', reason: 'the batch system does not have it' }
      : undefined;
  if (state !== 'UNKNOWN') return { id, state: 'UNKNOWN', reason: 'the batch system does not list it' };
  return nowMs - Math.max(pilot.changedAtMs, worker?.lastSeenAtMs ?? -Infinity) > times.unknownMs
    ? { id, state: 'ENDED', reason: 'the batch system has not listed it for a long time' }
    : undefined;
}

/** A pilot that had no job ends when its idle time is over. */
function endOf({ worker }: OpenPilot, { idleMs }: QueueTimes): PilotEnd {
  if (!worker) return 'FAILED';
  return worker.lastSeenAtMs - worker.registeredAtMs < idleMs + idleSlackMs ? 'UNUSED' : 'WORKED';
}

function keyOf({ batch, number }: Pick<BatchJob, 'batch' | 'number'>): string {
  return `${batch} ${number}`;
}
