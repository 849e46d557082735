import { describe, expect, it } from '@jest/globals';
import { decide } from './decide.js';
import { type Demand, type LoopMemory, noMemory } from './loop.types.js';
import { demandOf, pilotOf, settingsOf } from './testing/loop.fixture.js';

const facts = { nowMs: 0, isListed: true, pilots: [] };
const countsOf = (
  demand: readonly Demand[] | undefined,
  more: object = {},
  changes: Parameters<typeof settingsOf>[0] = {},
  memory: LoopMemory = noMemory,
): readonly number[] =>
  decide({ ...facts, demand, ...more }, settingsOf(changes), memory).decisions.requests.map(
    ({ count }) => count,
  );

describe('the number of requested pilots', () => {
  it('is a third of what is missing, and at least one', () => {
    expect(countsOf([demandOf({ missingJobs: 30 })])).toEqual([10]);
    expect(countsOf([demandOf({ missingJobs: 1 })])).toEqual([1]);
    expect(countsOf([demandOf({ missingJobs: 0 })])).toEqual([]);
    expect(countsOf([demandOf({ missingJobs: 32, jobsPerPilot: 8 })])).toEqual([2]);
  });

  it('stays within the limits of the queue, its classes, its experiments, a cycle and a minute', () => {
    const many = [demandOf({ missingJobs: 900 })];
    expect(countsOf(many, {}, { open: 7 })).toEqual([7]);
    expect(countsOf(many, {}, { pending: 3 })).toEqual([3]);
    expect(countsOf(many, { pilots: [pilotOf({ number: 1 })] }, { pending: 3 })).toEqual([2]);
    const hidden = [pilotOf({ state: 'UNKNOWN' }), pilotOf({ number: 1, state: 'HELD' })];
    expect(countsOf(many, { pilots: hidden }, { pending: 3 })).toEqual([1]);
    expect(countsOf(many, {}, { perCycle: 2 })).toEqual([2]);
    expect(countsOf(many, {}, { perClass: 4 })).toEqual([4]);
    expect(countsOf(many, {}, { perExperiment: { alpha: 5 } })).toEqual([5]);
    expect(countsOf(many, {}, { perExperiment: { beta: 5 }, perCycle: 20 })).toEqual([20]);
    const recent = [
      { atMs: -1000, count: 55 },
      { atMs: -61_000, count: 60 },
    ];
    expect(countsOf(many, {}, {}, { ...noMemory, recent })).toEqual([5]);
  });

  it('takes from the limits for the classes with the most missing jobs first', () => {
    const two = [demandOf({ missingJobs: 9 }), demandOf({ classId: 'class_b', missingJobs: 30 })];
    const { decisions } = decide({ ...facts, demand: two }, settingsOf({ perCycle: 12 }), noMemory);
    expect(decisions.requests.map(({ classId, count }) => [classId, count])).toEqual([
      ['class_b', 10],
      ['class_a', 2],
    ]);
  });

  it('is zero where facts are missing, and the reason says which', () => {
    const many = [demandOf({ missingJobs: 900 })];
    const reasonsOf = (more: object, changes = {}, memory = noMemory) => {
      const { decisions } = decide({ ...facts, demand: many, ...more }, settingsOf(changes), memory);
      expect(decisions.requests).toEqual([]);
      return decisions.reasons.join();
    };
    expect(reasonsOf({ demand: undefined })).toBe('the demand is not known');
    expect(reasonsOf({ isListed: false })).toBe('the pilots in the batch system are not known');
    const held = pilotOf({ state: 'HELD' });
    expect(reasonsOf({ pilots: [held] }, { held: 1 })).toBe('1 pilots are held; the limit is 1');
    expect(reasonsOf({}, { isDraining: true })).toBe('the queue is draining');
    expect(reasonsOf({}, {}, { ...noMemory, level: 6, skip: 4 })).toContain('the next try is in 4 cycles');
    const hopeless = demandOf({ missingJobs: 9, shape: undefined, reason: 'small: cores >= 8: has 1' });
    expect(reasonsOf({ demand: [hopeless] })).toBe('class_a of alpha: small: cores >= 8: has 1');
  });
});

describe('a waiting pilot', () => {
  const waiting = [0, 1, 2].map((number) =>
    pilotOf({
      number,
      id: `p-${number}`,
      state: 'PENDING',
      batchJobId: `1_${number}`,
      requestedAtMs: number,
    }),
  );
  const cancelledOf = (
    demand: readonly Demand[] | undefined,
    cycles: number,
    changes = {},
  ): readonly string[] => {
    let memory = noMemory;
    let cancels: readonly string[] = [];
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      const decided = decide({ ...facts, demand, pilots: waiting }, settingsOf(changes), memory);
      memory = decided.memory;
      cancels = decided.decisions.cancels.map(({ id }) => id);
    }
    return cancels;
  };

  it('is cancelled after five cycles without need, the newest first', () => {
    expect(cancelledOf([demandOf({ waitingJobs: 1 })], 4)).toEqual([]);
    expect(cancelledOf([demandOf({ waitingJobs: 1 })], 5)).toEqual(['p-2', 'p-1']);
    expect(cancelledOf([], 5)).toEqual(['p-2', 'p-1', 'p-0']);
    expect(cancelledOf([demandOf({ waitingJobs: 3 })], 9)).toEqual([]);
  });

  it('is kept while the demand is not known', () => {
    expect(cancelledOf(undefined, 9)).toEqual([]);
  });

  it('is cancelled at once while the queue drains, and when its code has ended', () => {
    expect(cancelledOf([demandOf({ waitingJobs: 9 })], 1, { isDraining: true })).toEqual([
      'p-0',
      'p-1',
      'p-2',
    ]);
    const { decisions } = decide(
      { ...facts, nowMs: 86_400_001, demand: [demandOf({ waitingJobs: 9 })], pilots: waiting },
      settingsOf({}),
      noMemory,
    );
    expect(decisions.cancels.map(({ id }) => id)).toEqual(['p-0']);
  });
});
