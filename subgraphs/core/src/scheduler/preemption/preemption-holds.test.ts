import { describe, expect, it } from '@jest/globals';
import { manualClock } from '@rhizome/testkit';
import { aQueue, aWorker } from '../../../test/support/scheduler.fixture.js';
import { Fleet } from '../cache/fleet.js';
import type { CandidateRequest } from '../placement/matcher.types.js';
import { PreemptionHolds } from './preemption-holds.js';
import { PreemptionRates } from './preemption-rates.js';

const hold = { jobId: 'job_1', priority: 250, untilMs: 1000 };

describe('PreemptionHolds', () => {
  it('divides requests by what their workers may get, held ones first', () => {
    const fleet = new Fleet();
    fleet.setQueues([aQueue({})]);
    const ids = ['a', 'b', 'c'];
    for (const id of ids) fleet.set(aWorker({ id, host: id }));
    const asking = ids.flatMap((workerId): (readonly [string, CandidateRequest])[] => {
      const worker = fleet.worker(workerId);
      const free = { cores: 1, memoryMiB: 1, diskMiB: 1 };
      const request = { workerId, count: 1, free, freeDeviceIds: [] };
      return worker ? [[workerId, { worker, request, limit: 1 }]] : [];
    });
    const holds = new PreemptionHolds();
    const groups = () =>
      holds
        .groups(asking)
        .map(({ minimumPriority, members }) => [minimumPriority, members.map(([id]) => id)]);
    expect(groups()).toEqual([[undefined, ids]]);
    holds.add('b', hold);
    expect(groups()).toEqual([
      [250, ['b']],
      [undefined, ['a', 'c']],
    ]);
  });

  it('ends holds when the job waits no more, or in the end', () => {
    const holds = new PreemptionHolds();
    holds.add('a', hold);
    expect(holds.prune(() => true, 999)).toBe(false);
    expect(holds.isFor('job_1')).toBe(true);
    expect(holds.prune(() => true, 1000)).toBe(true);
    holds.add('a', hold);
    expect(holds.prune(() => false, 0)).toBe(true);
    expect(holds.of('a')).toBeUndefined();
  });
});

describe('PreemptionRates', () => {
  it('allows a number of attempts in each minute', () => {
    const clock = manualClock();
    const rates = new PreemptionRates(clock);
    const queue = aQueue({ limits: { maxPreemptionsPerMinute: 3 } });
    rates.record(queue, 2);
    expect(rates.left(queue)).toBe(1);
    clock.advance(30_000);
    rates.record(queue, 1);
    expect(rates.left(queue)).toBe(0);
    clock.advance(30_001);
    expect(rates.left(queue)).toBe(2);
    expect(rates.left(aQueue({ id: 'other' }))).toBe(0);
  });
});
