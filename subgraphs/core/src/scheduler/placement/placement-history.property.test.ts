import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { oneGpu, passes } from '../../../test/support/passes.fixture.js';
import { aGpu } from '../../../test/support/scheduler.fixture.js';

describe('placement', () => {
  it('grants no device beyond its capacity and leaves none idle that could run a job, over any history of grants, ends and reports', () => {
    const kinds: Partial<StoredRequirements>[] = [
      { cores: 1 },
      oneGpu,
      { ...oneGpu, gpu: aGpu({ count: 2 }) },
      { cores: 1, gpu: aGpu({ share: 250 }) },
      { cores: 1, gpu: aGpu({ share: 700, shareMemoryMiB: 10_000 }) },
      { cores: 1, gpu: aGpu({ migProfile: '1g.5gb' }) },
      { cores: 1, gpu: aGpu({ migProfile: '1g.5gb', exclusive: true }) },
      { cores: 1, gpu: aGpu({ optional: true }) },
    ];
    const slices = [{}, { migProfile: '1g.5gb', parentId: 'c-0' }, { migProfile: '1g.5gb', parentId: 'c-0' }];
    const step = fc.oneof(
      fc.record({ submit: fc.constantFrom(...kinds), count: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ end: fc.integer({ min: 0, max: 10 }) }),
      fc.record({ health: fc.constantFrom('HEALTHY' as const, 'UNHEALTHY' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.boolean(), (steps, isPriced) => {
        const { ledger, host, ready, pass, checkBookings, forgetDemand } = passes();
        host('a', [{}, {}, {}]);
        host('b', [{}]);
        host('c', slices);
        for (const one of steps) {
          if ('submit' in one) ready(one.count, one.submit);
          else if ('health' in one) host('b', [{ health: one.health }]);
          else {
            const ended = [...ledger.entries()][one.end];
            if (ended) ledger.release(ended.jobId, Number.MAX_SAFE_INTEGER);
          }
          if (!isPriced) forgetDemand();
          pass();
          checkBookings();
        }
        // All candidates were served and nothing has changed since: no ready job fits.
        expect(pass()).toEqual({});
      }),
      { numRuns: 150 },
    );
  });
});
