import { describe, expect, it } from '@jest/globals';
import type { LaneObservation } from './live-run.document.js';
import type { BreakerState, FeedReason, Phase } from './live-run.types.js';
import {
  attemptsBetween,
  decideFeed,
  depthHours,
  isFed,
  type LaneView,
  nextBreaker,
  nextLane,
} from './regulator.js';

const now = new Date(1_000_000);
const ago = (ms: number): Date => new Date(now.getTime() - ms);

/** A lane of ten workers with open slices of an hour each: ten of them are a depth of 1 h. */
function lane(open: number, more: Partial<LaneView> & { reason?: FeedReason } = {}): LaneView {
  const { reason = 'FED', ...view } = more;
  return {
    lane: { published: open, feed: { reason, message: '', by: null, since: ago(1) } },
    settings: { maxWorkers: 10, lowMarkHours: 8, highMarkHours: 24 },
    meanSeconds: 3600,
    breaker: undefined,
    ...view,
  };
}

const breaker = (state: BreakerState) => ({ state, reason: 'because', by: 'somebody' });

describe('depthHours', () => {
  it('is the time in which all workers work off what is not done', () => {
    expect(depthHours(lane(50))).toBe(5);
    const observed = { completed: 20, dead: 10 } as LaneObservation;
    expect(depthHours(lane(50, { lane: { ...lane(50).lane, observed } }))).toBe(2);
    expect(depthHours(lane(50, { meanSeconds: null }))).toBeNull();
  });
});

describe('decideFeed', () => {
  it.each<[string, Phase, LaneView, FeedReason]>([
    ['before the run', 'IMMINENT', lane(0), 'PHASE'],
    ['in STANDBY', 'STANDBY', lane(0), 'PHASE'],
    ['after the end', 'COMPLETED', lane(0), 'FED'],
    ['below the high mark', 'PHYSICS', lane(239), 'FED'],
    ['at the high mark', 'PHYSICS', lane(240), 'HIGH_MARK'],
    ['between the marks, after the high one', 'PHYSICS', lane(81, { reason: 'HIGH_MARK' }), 'HIGH_MARK'],
    ['at the low mark, after the high one', 'PHYSICS', lane(80, { reason: 'HIGH_MARK' }), 'FED'],
    ['at an unknown depth', 'PHYSICS', lane(9999, { meanSeconds: null }), 'FED'],
    [
      'without marks',
      'PHYSICS',
      lane(9999, { settings: { maxWorkers: 1, lowMarkHours: null, highMarkHours: null } }),
      'FED',
    ],
    [
      'of a closed pool',
      'PHYSICS',
      lane(0, { lane: { ...lane(0).lane, isPoolClosed: true } }),
      'LANE_CLOSED',
    ],
    ['while the pool is full', 'PHYSICS', lane(0, { fullUntil: new Date(now.getTime() + 1) }), 'POOL_FULL'],
    ['once the pool may have space', 'PHYSICS', lane(0, { fullUntil: now }), 'FED'],
    ['with an open breaker', 'PHYSICS', lane(0, { breaker: breaker('OPEN') }), 'BREAKER'],
    ['with a breaker that is half open', 'PHYSICS', lane(0, { breaker: breaker('HALF_OPEN') }), 'PROBE'],
    ['held by a person', 'PHYSICS', lane(0, { breaker: breaker('HELD') }), 'HELD'],
    ['with a closed breaker', 'PHYSICS', lane(0, { breaker: breaker('CLOSED') }), 'FED'],
  ])('decides %s in %s', (_name, phase, view, reason) => {
    expect(decideFeed(phase, view, now).reason).toBe(reason);
  });

  it('says why, and who', () => {
    expect(decideFeed('PHYSICS', lane(250), now)).toMatchObject({
      message: 'a depth of 25.0 h is at or above the high mark of 24.0 h',
      by: 'epic:regulator',
      depthHours: 25,
    });
    expect(decideFeed('PHYSICS', lane(0, { breaker: breaker('HELD') }), now)).toMatchObject({
      message: 'because',
      by: 'somebody',
    });
  });
});

describe('nextLane', () => {
  const fed = (depth: number | null, open = 0, isOpen = true) => ({ isFed: isOpen, depthHours: depth, open });

  it.each([
    [[fed(2), fed(1)], 1],
    [[fed(1, 3), fed(1, 2)], 1],
    [[fed(null), fed(0.1)], 0],
    [[fed(0, 0, false), fed(9)], 1],
    [[fed(0, 0, false)], undefined],
  ] as const)('chooses from %j: %s', (lanes, expected) => {
    expect(nextLane(lanes)).toBe(expected);
  });

  it('gives one frame to a lane that is tried', () => {
    expect(isFed({ reason: 'PROBE' }, false)).toBe(true);
    expect(isFed({ reason: 'PROBE' }, true)).toBe(false);
  });
});

describe('nextBreaker', () => {
  const since = (state: BreakerState, ms: number) => ({ state, since: ago(ms) });

  it.each([
    ['opens when at least half of the attempts failed', undefined, [5, 5], 'OPEN'],
    ['stays closed for fewer failures than five', undefined, [0, 4], undefined],
    ['stays closed when most attempts succeed', undefined, [6, 5], undefined],
    ['stays open for a minute', since('OPEN', 59_999), [0, 0], undefined],
    ['is half open after a minute', since('OPEN', 60_000), [0, 0], 'HALF_OPEN'],
    ['opens again when the frame fails', since('HALF_OPEN', 1), [3, 1], 'OPEN'],
    ['closes when a slice of the frame is complete', since('HALF_OPEN', 1), [1, 0], 'CLOSED'],
    ['waits for the frame', since('HALF_OPEN', 1), [0, 0], undefined],
    ['is left to the person who holds it', since('HELD', 90_000), [9, 9], undefined],
  ] as const)('is a breaker that %s', (_name, before, [completed, failed], expected) => {
    expect(nextBreaker(before, { completed, failed }, now)?.state).toBe(expected);
  });

  it('counts attempts between observations', () => {
    expect(attemptsBetween({ completed: 2, failedAttempts: 1 }, { completed: 5, failedAttempts: 3 })).toEqual(
      {
        completed: 3,
        failed: 2,
      },
    );
    expect(attemptsBetween(undefined, { completed: 5, failedAttempts: 3 })).toEqual({
      completed: 5,
      failed: 3,
    });
  });
});
