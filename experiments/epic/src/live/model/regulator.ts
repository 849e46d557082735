/**
 * Rules of the regulator, all pure: how deep a lane is, whether it is fed, which lane gets the next frames,
 * and when the breaker of a site opens and closes. They only begin and stop the feed; they end no work.
 */
import type { BreakerDocument } from './feed-collections.js';
import type { FeedState, Lane, LaneObservation, PathSettings } from './live-run.document.js';
import { type BreakerState, type FeedReason, type Phase, regulatorName } from './live-run.types.js';

/** Facts of a lane. */
export interface LaneView {
  readonly lane: Pick<Lane, 'feed' | 'observed' | 'published' | 'isPoolClosed'>;
  readonly settings: Pick<PathSettings, 'maxWorkers' | 'lowMarkHours' | 'highMarkHours'>;
  /** Mean seconds of work on a slice; null before the first result. */
  readonly meanSeconds: number | null;
  readonly breaker: Pick<BreakerDocument, 'state' | 'reason' | 'by'> | undefined;
  /** Time until which the pool of core takes no units. */
  readonly fullUntil?: Date | undefined;
}

/** A decision about a lane. */
export interface FeedDecision extends Pick<FeedState, 'reason' | 'message' | 'by'> {
  readonly depthHours: number | null;
}

/**
 * Hours in which all workers that the lane may have work off what was published and is not done; null if the
 * time for a slice is not known.
 */
export function depthHours({ lane, settings, meanSeconds }: LaneView): number | null {
  if (meanSeconds === null) return null;
  const { observed, published } = lane;
  const open = published - (observed?.completed ?? 0) - (observed?.dead ?? 0);
  return (Math.max(0, open) * meanSeconds) / settings.maxWorkers / 3600;
}

const hours = (value: number): string => `${value.toPrecision(3)} h`;

/** Decides if a lane is fed, and why. */
export function decideFeed(phase: Phase, view: LaneView, now: Date): FeedDecision {
  const depth = depthHours(view);
  const decided = (reason: FeedReason, message: string, by: string | null): FeedDecision => ({
    ...{ reason, message, by },
    depthHours: depth,
  });
  if (phase === 'IMMINENT' || phase === 'STANDBY')
    return decided('PHASE', `the run is ${phase}`, regulatorName);
  const { breaker, fullUntil, settings, lane } = view;
  if (lane.isPoolClosed || lane.observed?.isClosed)
    return decided('LANE_CLOSED', 'the pool or the fleet of the lane was closed or drained', null);
  if (breaker?.state === 'HELD') return decided('HELD', breaker.reason, breaker.by);
  if (breaker?.state === 'OPEN') return decided('BREAKER', breaker.reason, regulatorName);
  if (fullUntil && fullUntil > now)
    return decided('POOL_FULL', 'the pool has as many waiting slices as it may have', regulatorName);
  const { lowMarkHours: low, highMarkHours: high } = settings;
  if (depth !== null && low !== null && high !== null) {
    const isHeld = lane.feed.reason === 'HIGH_MARK';
    if (isHeld ? depth > low : depth >= high) {
      const message = isHeld
        ? `the depth has not fallen to the low mark of ${hours(low)} since it reached the high mark of ${hours(high)}`
        : `a depth of ${hours(depth)} is at or above the high mark of ${hours(high)}`;
      return decided('HIGH_MARK', message, regulatorName);
    }
  }
  if (breaker?.state === 'HALF_OPEN') return decided('PROBE', 'a single frame is tried', null);
  return decided('FED', 'slices are given to the lane', null);
}

/** True if a lane gets frames. @param isProbeOut a frame was given since the breaker is half open */
export function isFed({ reason }: Pick<FeedDecision, 'reason'>, isProbeOut: boolean): boolean {
  return reason === 'FED' || (reason === 'PROBE' && !isProbeOut);
}

/**
 * Position of the lane that gets the next frames: of those that are fed, the one with the least depth, then
 * with the fewest slices that are not done; undefined if none is fed.
 */
export function nextLane(
  lanes: readonly { readonly isFed: boolean; readonly depthHours: number | null; readonly open: number }[],
): number | undefined {
  let best: number | undefined;
  lanes.forEach((lane, index) => {
    if (!lane.isFed) return;
    const held = best === undefined ? undefined : lanes[best];
    const isLess =
      !held ||
      (lane.depthHours ?? 0) < (held.depthHours ?? 0) ||
      ((lane.depthHours ?? 0) === (held.depthHours ?? 0) && lane.open < held.open);
    if (isLess) best = index;
  });
  return best;
}

/** Attempts at a site in the last minute. */
export interface SiteAttempts {
  readonly completed: number;
  readonly failed: number;
}

/** Failures in a minute from which a breaker may open. */
const leastFailures = 5;
/** Time for which a breaker stays open before a frame is tried, in milliseconds. */
const breakerOpenMs = 60_000;

/**
 * The next state of the breaker of a site; undefined if it stays. A person's hold is not changed.
 * @param attempts in the last minute, or since the breaker is half open
 */
export function nextBreaker(
  breaker: Pick<BreakerDocument, 'state' | 'since'> | undefined,
  { completed, failed }: SiteAttempts,
  now: Date,
): { readonly state: BreakerState; readonly reason: string } | undefined {
  const state = breaker?.state ?? 'CLOSED';
  if (state === 'CLOSED' && failed >= leastFailures && failed >= completed)
    return {
      state: 'OPEN',
      reason: `${failed} of ${failed + completed} attempts failed in a minute`,
    };
  if (state === 'OPEN' && breaker && now.getTime() - breaker.since.getTime() >= breakerOpenMs)
    return { state: 'HALF_OPEN', reason: 'a frame is tried a minute after the breaker opened' };
  if (state !== 'HALF_OPEN') return undefined;
  if (failed > 0) return { state: 'OPEN', reason: 'an attempt failed while a single frame was tried' };
  return completed > 0
    ? { state: 'CLOSED', reason: 'a slice was completed while a single frame was tried' }
    : undefined;
}

/** Attempts between two observations of lanes at one site. */
export function attemptsBetween(
  before: Pick<LaneObservation, 'completed' | 'failedAttempts'> | undefined,
  after: Pick<LaneObservation, 'completed' | 'failedAttempts'>,
): SiteAttempts {
  return {
    completed: Math.max(0, after.completed - (before?.completed ?? 0)),
    failed: Math.max(0, after.failedAttempts - (before?.failedAttempts ?? 0)),
  };
}
