import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { aShare } from '../../../test/support/scheduler.fixture.js';
import { compareStandings, mayTake, ownerMayTake, standing } from './share-order.js';

const totals = { cores: 1000, memoryMiB: 1_000_000, gpus: 100 };
const use = (cores: number, memoryMiB = cores * 1000, gpus = 0) => ({ cores, memoryMiB, gpus, jobs: 1 });
const before = (a: Parameters<typeof standing>, b: Parameters<typeof standing>): boolean =>
  compareStandings(standing(...a), standing(...b)) < 0;

describe('the order of shares', () => {
  it('puts all shares below their quota before all borrowers, however little these hold', () => {
    const nearlyFull = aShare({ nominalCores: 100 });
    const borrower = aShare({ nominalCores: 0 });
    expect(before([nearlyFull, use(99), totals], [borrower, use(0, 0), totals])).toBe(true);
  });

  it('puts the share with the smallest part of its quota in use first, below the quota', () => {
    expect(
      before(
        [aShare({ nominalCores: 400 }), use(100), totals],
        [aShare({ nominalCores: 100 }), use(50), totals],
      ),
    ).toBe(true);
  });

  it('orders borrowers by what they hold beyond their quota, relative to their weight', () => {
    const heavy = aShare({ nominalCores: 100, weight: 3 });
    const light = aShare({ nominalCores: 100, weight: 1 });
    expect(before([heavy, use(250), totals], [light, use(160), totals])).toBe(true);
    expect(before([light, use(140), totals], [heavy, use(250), totals])).toBe(true);
  });

  it('measures a borrower by the larger of its parts of cores and of memory', () => {
    const share = aShare({ nominalCores: 0 });
    expect(before([share, use(200, 1000), totals], [share, use(10, 900_000), totals])).toBe(true);
  });

  it('ends borrowing at its limit, and an owner at its own', () => {
    const share = aShare({ nominalCores: 10, borrowLimitCores: 5, ownerLimitCores: 8 });
    expect(mayTake(share, use(11), 4)).toBe(true);
    expect(mayTake(share, use(11), 5)).toBe(false);
    expect(mayTake(aShare(), use(1e6), 1000)).toBe(true);
    expect(ownerMayTake(share, 4, 4)).toBe(true);
    expect(ownerMayTake(share, 4, 5)).toBe(false);
  });

  it('is antisymmetric and transitive for any shares', () => {
    const any = fc.record({
      nominalCores: fc.integer({ min: 0, max: 500 }),
      weight: fc.double({ min: 0.1, max: 10, noNaN: true }),
      cores: fc.integer({ min: 0, max: 900 }),
      memoryMiB: fc.integer({ min: 0, max: 900_000 }),
    });
    fc.assert(
      fc.property(fc.array(any, { minLength: 3, maxLength: 3 }), (shares) => {
        const [a, b, c] = shares.map(({ nominalCores, weight, cores, memoryMiB }) =>
          standing(aShare({ nominalCores, weight }), { cores, memoryMiB, gpus: 0, jobs: 1 }, totals),
        );
        if (!a || !b || !c) throw new Error('three shares');
        expect(Math.sign(compareStandings(a, b)) + Math.sign(compareStandings(b, a))).toBe(0);
        if (compareStandings(a, b) <= 0 && compareStandings(b, c) <= 0)
          expect(compareStandings(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });
});
