/** Rate and expected end of a job, computed from its progress when they are read. Pure. */
import { isHeld, type JobState } from '../model/job-state.js';
import type { StoredProgress } from './job-progress.document.js';

/** Progress with the values that follow from it. */
export interface ShownProgress {
  readonly attempt: number;
  readonly step: number | null;
  readonly fraction: number | null;
  readonly reportedAt: Date;
  readonly fractionPerHour: number | null;
  readonly expectedEndAt: Date | null;
}

const hourMs = 3_600_000;
/** Shortest time from which a rate is computed. */
const shortestMs = 1000;
/** Expected ends that are later than this are not shown: they say no more than that the job hardly moves. */
const longestMs = 10 * 365 * 24 * hourMs;

/** @param now time of the read */
export function shownProgress(progress: StoredProgress, state: JobState, now: Date): ShownProgress {
  const { attempt, step = null, fraction = null, at } = progress;
  const fractionPerHour = rateOf(progress);
  const isRunning = isHeld(state) && fraction !== null && fractionPerHour !== null;
  const expectedEndAt = isRunning ? endOf(at, (1 - fraction) / fractionPerHour, now) : null;
  return { attempt, step, fraction, reportedAt: at, fractionPerHour, expectedEndAt };
}

/** Growth since the first report of the attempt; null if nothing has grown yet. */
function rateOf({ fraction, at, first }: StoredProgress): number | null {
  if (fraction === undefined || first === undefined) return null;
  const ms = at.getTime() - first.at.getTime();
  const growth = fraction - first.fraction;
  return ms >= shortestMs && growth > 0 ? (growth * hourMs) / ms : null;
}

function endOf(at: Date, hours: number, now: Date): Date | null {
  const leftMs = hours * hourMs;
  return leftMs > longestMs ? null : new Date(Math.max(now.getTime(), at.getTime() + leftMs));
}
