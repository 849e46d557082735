import { describe, expect, it } from '@jest/globals';
import { Pauses } from './pauses.js';

const at = (seconds: number): Date => new Date(1_000_000_000_000 + seconds * 1000);
/** A lease of 30 s whose worker reported at this time. */
const lease = (seconds: number) => ({ updatedAt: at(seconds), expiresAt: at(seconds + 30) });

function pausesOf(...all: readonly (readonly [number, number])[]): Pauses {
  const pauses = new Pauses();
  for (const [from, until] of all) pauses.add({ from: at(from), until: at(until) });
  return pauses;
}

describe('Pauses', () => {
  it.each([
    ['without a pause', [], 0, 30],
    ['by a pause after the heartbeat', [[10, 14]], 0, 34],
    ['by the rest of a pause in which the worker reported', [[10, 14]], 12, 44],
    ['not by a pause before the heartbeat', [[10, 14]], 20, 50],
    [
      'by the sum of pauses',
      [
        [2, 4],
        [10, 14],
      ],
      0,
      36,
    ],
    [
      'by overlapping pauses once',
      [
        [2, 8],
        [5, 10],
      ],
      0,
      38,
    ],
  ] as const)('prolongs a lease %s', (_name, pauses, reportedAt, end) => {
    expect(pausesOf(...pauses).endOf(lease(reportedAt))).toEqual(at(end));
  });

  it('gives every lease its full time again after a restart, and forgets earlier pauses', () => {
    const pauses = pausesOf([2, 4], [10, 14]);
    pauses.restart(at(100));
    expect(pauses.all).toHaveLength(1);
    for (const reportedAt of [-500, 0, 12, 99]) expect(pauses.endOf(lease(reportedAt))).toEqual(at(130));
    expect(pauses.endOf(lease(101))).toEqual(at(131));
  });

  it('ignores an empty pause', () => {
    expect(pausesOf([3, 3], [5, 4]).all).toEqual([]);
  });

  it('keeps a bounded number, and never shortens a lease by that', () => {
    const exact = Array.from({ length: 40 }, (_, index) => [index * 10, index * 10 + 1] as const);
    const pauses = pausesOf(...exact);
    expect(pauses.all.length).toBeLessThanOrEqual(16);
    expect(pauses.endOf(lease(0)).getTime()).toBeGreaterThanOrEqual(at(30 + 40).getTime());
    expect(pauses.endOf(lease(395))).toEqual(at(425));
  });
});
