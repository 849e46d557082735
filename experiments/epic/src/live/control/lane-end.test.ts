import { describe, expect, it } from '@jest/globals';
import type { FeedState, Lane, LaneObservation, LivePath, PathSettings } from '../model/live-run.document.js';
import { giveUpMs, hasEnded, isFed, isOverdue } from './lane-end.js';

const at = new Date(0);
const feed: FeedState = { reason: 'FED', message: '', by: null, since: at };
const observed = (more: Partial<LaneObservation> = {}): LaneObservation => ({
  ...{ at, waiting: 0, leased: 0, completed: 15, dead: 0, failedAttempts: 0, lagSeconds: 0 },
  ...{ targetWorkers: 0, runningWorkers: 0, waitingWorkers: 0, fleetReason: null },
  ...{ isFleetEnded: true, isClosed: true },
  ...more,
});
const lane = (more: Partial<Lane> = {}): Lane => ({
  ...{ queue: null, poolId: 'p', fleetId: 'f', isPoolClosed: true, published: 15, feed, heldCoreSeconds: 0 },
  observed: observed(),
  ...more,
});

describe('hasEnded', () => {
  it.each<[string, Lane, boolean, boolean]>([
    ['all slices ended', lane(), false, true],
    ['some are dead', lane({ observed: observed({ completed: 14, dead: 1 }) }), false, true],
    ['others published more', lane({ observed: observed({ completed: 17 }) }), false, true],
    ['one is not counted yet', lane({ observed: observed({ completed: 14 }) }), false, false],
    ['the fleet is there', lane({ observed: observed({ isFleetEnded: false }) }), true, false],
    ['the pool is open', lane({ isPoolClosed: false }), true, false],
    ['nobody works on slices', lane({ observed: observed({ completed: 9, waiting: 6 }) }), false, false],
    ['nobody works on slices, late', lane({ observed: observed({ completed: 9, waiting: 6 }) }), true, true],
    ['a slice is worked on, late', lane({ observed: observed({ completed: 9, leased: 6 }) }), true, false],
  ])('decides if %s', (_what, of, isLate, expected) => {
    expect(hasEnded(of, isLate)).toBe(expected);
  });

  it('is true for a lane that core has not created', () => {
    const { poolId: _poolId, fleetId: _fleetId, observed: _observed, ...refused } = lane({ published: 0 });
    expect(hasEnded(refused, false)).toBe(true);
  });
});

describe('isFed', () => {
  const run = (fed: number, lanes: readonly Lane[]) => {
    const path: LivePath = { settings: {} as PathSettings, fed, lanes };
    return { paths: { FAST: path }, frames: { announced: 2, bytes: 0, gaps: [] } };
  };
  const open = lane({ isPoolClosed: false, observed: observed({ isClosed: false }) });

  it('waits for frames unless no lane takes slices for long after the end', () => {
    expect(isFed(run(2, [open]), 'FAST', false)).toBe(true);
    expect(isFed(run(1, [open, lane()]), 'FAST', true)).toBe(false);
    expect(isFed(run(1, [lane()]), 'FAST', false)).toBe(false);
    expect(isFed(run(1, [lane()]), 'FAST', true)).toBe(true);
    expect(isOverdue({ closesAt: at }, new Date(giveUpMs))).toBe(false);
    expect(isOverdue({ closesAt: at }, new Date(giveUpMs + 1))).toBe(true);
    expect(isOverdue({}, new Date(giveUpMs + 1))).toBe(false);
  });
});
