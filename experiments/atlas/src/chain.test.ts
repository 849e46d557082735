import { describe, expect, it } from '@jest/globals';
import { jobAt, jobCount, jobsPerStep, type ChainShape } from './chain.js';
import type { Step } from './production-task.document.js';

const shape = (totalEvents: number, eventsPerJob: number, ...steps: Step[]): ChainShape => ({
  totalEvents,
  eventsPerJob,
  transforms: steps.map((step) => ({ step })),
});
const all = (chain: ChainShape) => Array.from({ length: jobCount(chain) }, (_, index) => jobAt(chain, index));

describe('chain layout', () => {
  it.each([
    [shape(1, 1, 'EVGEN'), 1],
    [shape(10, 3, 'EVGEN', 'SIMUL'), 8],
    [shape(10, 3, 'SIMUL', 'RECO', 'MERGE'), 9],
    [shape(10, 100, 'RECO', 'MERGE'), 2],
  ])('has a position for each job: %#', (chain, count) => {
    expect(jobCount(chain)).toBe(count);
    expect(all(chain).length).toBe(count);
    expect(() => jobAt(chain, count)).toThrow(RangeError);
    expect(() => jobAt(chain, -1)).toThrow(RangeError);
  });

  it('gives each step all events, without a gap, each once', () => {
    const chain = shape(107, 10, 'EVGEN', 'SIMUL', 'RECO', 'MERGE');
    for (const step of ['EVGEN', 'SIMUL', 'RECO']) {
      let next = 0;
      for (const job of all(chain).filter((one) => one.step === step)) {
        expect(job.firstEvent).toBe(next);
        expect(job.events).toBeGreaterThan(0);
        next += job.events;
      }
      expect(next).toBe(107);
    }
  });

  it('makes each job wait for the previous job of the same events, and the merge for the whole last step', () => {
    const chain = shape(107, 10, 'EVGEN', 'SIMUL', 'MERGE');
    const jobs = all(chain);
    jobs.forEach(({ step, firstEvent, events, parents }, index) => {
      for (const parent of parents) expect(parent).toBeLessThan(index);
      if (step === 'EVGEN') expect(parents).toEqual([]);
      if (step === 'SIMUL') {
        expect(parents.length).toBe(1);
        expect(jobs[parents[0] ?? -1]).toMatchObject({ step: 'EVGEN', firstEvent, events });
      }
    });
    const merge = jobs.at(-1);
    expect(merge).toMatchObject({ step: 'MERGE', firstEvent: 0, events: 107 });
    expect(merge?.parents.map((parent) => jobs[parent]?.step)).toEqual(
      Array.from({ length: jobsPerStep(chain) }, () => 'SIMUL'),
    );
  });
});
