import { describe, expect, it } from '@jest/globals';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { type ScoutUse, type ShapeFacts, shapeAfterScouts, useOf } from './scout-evidence.js';
import { normaliseScouts } from './scout-input.js';

const requirements: StoredRequirements = {
  ...{ cores: 1, memoryMiB: 2000, diskMiB: 4000, walltimeSeconds: 86_400 },
  network: false,
};
const rules = normaliseScouts({}, 100)?.rules ?? {};
const use = (memoryMiB: number, walltimeSeconds = 1000, diskMiB = 1000): ScoutUse => ({
  ...{ memoryMiB, walltimeSeconds, diskMiB },
  outputBytes: 10,
});
const after = (over: Partial<ShapeFacts>) => {
  const shape = shapeAfterScouts({ requirements, uses: [], rules, offers: [], ...over });
  return Object.fromEntries(shape.amounts.map((amount) => [amount.field, amount]));
};

describe('shapeAfterScouts', () => {
  it('derives memory, walltime and disk from the percentile of the use and the factor', () => {
    const uses = Array.from({ length: 20 }, (_, index) => use(1024 + 205 * index, 100 * (index + 1), 500));
    const amounts = after({ uses });
    expect(amounts['memoryMiB']).toEqual({
      ...{ field: 'memoryMiB', before: 2000, after: 5952 },
      use: { measured: 20, used: 4714, most: 4919 },
    });
    expect(amounts['walltimeSeconds']).toMatchObject({ before: 86_400, after: 2880 });
    expect(amounts['diskMiB']).toMatchObject({ before: 4000, after: 640 });
  });

  it('leaves an amount that was not measured, and one without a rule', () => {
    const unmeasured = [{ walltimeSeconds: 1000, outputBytes: 0 }];
    const { memoryMiB, walltimeSeconds } = after({
      uses: unmeasured,
      rules: normaliseScouts({ walltime: null }, 100)?.rules ?? {},
    });
    expect(memoryMiB).toEqual({ field: 'memoryMiB', before: 2000, after: 2000 });
    expect(walltimeSeconds).toEqual({ field: 'walltimeSeconds', before: 86_400, after: 86_400 });
    expect(shapeAfterScouts({ requirements, uses: [], rules, offers: [] })).toMatchObject({
      finished: 0,
      requirements,
    });
  });

  it('never wants more than workers offer, and says so', () => {
    const offers = [{ memoryMiB: 4096, diskMiB: 100_000, walltimeSeconds: 86_400 }];
    expect(after({ uses: [use(5000)], offers })['memoryMiB']).toMatchObject({ after: 4096, limit: 4096 });
  });

  it('takes a given amount instead, and keeps the use as evidence', () => {
    const amounts = after({ uses: [use(1000)], overrides: { memoryMiB: 3000 } });
    expect(amounts['memoryMiB']).toMatchObject({ after: 3000, isOverridden: true, use: { most: 1000 } });
    expect(amounts['walltimeSeconds']?.isOverridden).toBeUndefined();
  });

  it('does not lower amounts below what few scouts can justify', () => {
    const amounts = after({ uses: [use(3, 1, 0)] });
    expect(Object.values(amounts).map((amount) => amount.after)).toEqual([128, 300, 128]);
    const small = { ...requirements, memoryMiB: 50 };
    expect(after({ uses: [use(3)], requirements: small })['memoryMiB']?.after).toBe(64);
  });
});

describe('useOf', () => {
  it('gives the value that the percentage does not exceed', () => {
    const values = [5, 1, 4, 2, 3];
    expect([1, 20, 50, 95, 100].map((percentile) => useOf(values, percentile)?.used)).toEqual([
      1, 1, 3, 5, 5,
    ]);
    expect(useOf([], 50)).toBeUndefined();
  });
});

describe('normaliseScouts', () => {
  it('has no scouts for a task without other jobs', () => {
    expect(normaliseScouts({ count: 10 }, 10)).toBeUndefined();
    expect(normaliseScouts(null, 100)).toBeUndefined();
    expect(normaliseScouts({ memory: { percentile: 50 }, disk: null }, 11)).toEqual({
      count: 10,
      maxFailedFraction: 0.5,
      rules: {
        memoryMiB: { percentile: 50, factor: 1.25 },
        walltimeSeconds: { percentile: 95, factor: 1.5 },
      },
    });
  });
});
