import { describe, expect, it } from '@jest/globals';
import { aRule, decided, retried } from '../../test/support/policies.fixture.js';

describe('decideFailure with offers', () => {
  const offer = (memoryMiB: number, walltimeSeconds = 7200, diskMiB = 4096) => ({
    memoryMiB,
    walltimeSeconds,
    diskMiB,
  });

  it('limits an amount to the largest offer, and states it', () => {
    const { requirements, decision } = retried(
      { memory: { factor: 4 } },
      { offers: [offer(1500), offer(3000)] },
    );
    expect(requirements?.requirements.memoryMiB).toBe(3000);
    expect(decision).toMatchObject({
      outcome: 'RETRY',
      reason:
        'Rule "a rule" allows attempt 2 of 3; rule "a rule" asked for memoryMiB 4096; the job is offered at most 3000',
      changes: [{ field: 'memoryMiB', before: 1024, after: 3000 }],
      limits: [{ rule: 'a rule', field: 'memoryMiB', wanted: 4096, limit: 3000 }],
    });
  });

  it('limits several amounts by the offer with which they grow most', () => {
    const offers = [offer(8192, 3600), offer(1536, 7200)];
    const action = { memory: { factor: 4 }, walltime: { factor: 3 } };
    const { requirements, decision } = retried(action, { offers });
    expect(requirements?.requirements).toMatchObject({ memoryMiB: 4096, walltimeSeconds: 3600 });
    expect(decision?.limits).toEqual([
      { rule: 'a rule', field: 'walltimeSeconds', wanted: 10_800, limit: 3600 },
    ]);
  });

  it('goes on to the next rule if no amount can grow', () => {
    const more = aRule({ name: 'more', action: { retry: { memory: { factor: 2 } } } });
    const hold = aRule({ name: 'hold', action: { hold: { reason: 'Too large' } } });
    expect(decided([more, hold], { offers: [offer(1024)] }).decision).toMatchObject({
      outcome: 'HOLD',
      rule: 'hold',
      reason: 'Too large; rule "more" asked for memoryMiB 2048; the job is offered at most 1024',
      limits: [{ rule: 'more', field: 'memoryMiB', wanted: 2048, limit: 1024 }],
    });
    expect(decided([more], { offers: [offer(1024)] })).toMatchObject({
      after: { to: 'FAILED' },
      decision: { outcome: 'FAIL', limits: [{ rule: 'more' }] },
    });
  });

  it('limits the memory that a retry policy lets grow, and states it', () => {
    const retry = { maxAttempts: 3, backoffSeconds: 0, backoffFactor: 2, retryOn: [], memoryFactor: 4 };
    const limits = [{ rule: 'retry policy', field: 'memoryMiB', wanted: 4096, limit: 3000 }];
    const grown = decided([], { job: { retry }, offers: [offer(1500), offer(3000)] });
    expect(grown.requirements?.requirements.memoryMiB).toBe(3000);
    expect(grown.decision).toMatchObject({
      outcome: 'RETRY',
      reason:
        'The retry policy of the job allows attempt 2 of 3, with more memory; the retry policy asked for memoryMiB 4096; the job is offered at most 3000',
      limits,
    });
    expect(decided([], { job: { retry }, offers: [offer(1024)] })).toMatchObject({
      after: { to: 'FAILED' },
      decision: { outcome: 'FAIL', limits: [{ ...limits[0], limit: 1024 }] },
    });
  });

  it('limits nothing while offers are unknown, and nothing that shrinks', () => {
    expect(retried({ memory: { factor: 4 } }, { offers: [] }).decision?.limits).toBeUndefined();
    const { requirements, decision } = retried({ memory: { value: 100 } }, { offers: [offer(50)] });
    expect(requirements?.requirements.memoryMiB).toBe(100);
    expect(decision?.limits).toBeUndefined();
  });
});
