import { describe, expect, it } from '@jest/globals';
import { shownProgress } from './shown-progress.js';

const start = new Date('2030-01-01T00:00:00.000Z');
const after = (hours: number): Date => new Date(start.getTime() + hours * 3_600_000);
const first = { fraction: 0.2, at: start };
const grown = { attempt: 2, step: 7, fraction: 0.4, at: after(1), first };

describe('shownProgress', () => {
  it('computes the rate since the first report of the attempt, and the end that follows from it', () => {
    const shown = shownProgress(grown, 'RUNNING', after(1));
    expect(shown).toMatchObject({ attempt: 2, step: 7, fraction: 0.4, reportedAt: after(1) });
    expect(shown.fractionPerHour).toBeCloseTo(0.2);
    expect(shown.expectedEndAt?.getTime()).toBeCloseTo(after(4).getTime(), -2);
  });

  it('expects no end in the past', () => {
    expect(shownProgress(grown, 'RUNNING', after(9)).expectedEndAt).toEqual(after(9));
  });

  it.each([
    ['of a job that has ended', grown, 'FAILED' as const, { expectedEndAt: null }],
    [
      'with one report',
      { ...grown, ...first, first },
      'RUNNING' as const,
      { fractionPerHour: null, expectedEndAt: null },
    ],
    [
      'that has shrunk',
      { ...grown, fraction: 0.1 },
      'RUNNING' as const,
      { fractionPerHour: null, expectedEndAt: null },
    ],
    ['that hardly grows', { ...grown, fraction: 0.200_001 }, 'RUNNING' as const, { expectedEndAt: null }],
    [
      'with steps alone',
      { attempt: 1, step: 7, at: start },
      'RUNNING' as const,
      { step: 7, fraction: null, fractionPerHour: null, expectedEndAt: null },
    ],
  ])('shows no more than is known of progress %s', (_, progress, state, shown) => {
    expect(shownProgress(progress, state, after(1))).toMatchObject(shown);
  });
});
