import { describe, expect, it } from '@jest/globals';
import { GrantHistory } from './grant-history.js';

const share = 'alpha/default';

function historyOf(times: readonly number[], beganMs?: number): GrantHistory {
  const history = new GrantHistory(beganMs);
  for (const at of times) history.record(share, 'class_1', at);
  return history;
}

const estimate = (history: GrantHistory, before: number, nowMs: number) =>
  history.estimate(share, 'class_1', before, nowMs);

describe('the estimated wait', () => {
  it('covers the next burst if grants come in bursts, however near the job is to the front', () => {
    const burst = (at: number) => Array.from({ length: 100 }, () => at);
    const history = historyOf([...burst(0), ...burst(60_000), ...burst(120_000)]);
    const first = estimate(history, 0, 180_000);
    expect(first).toMatchObject({ kind: 'ESTIMATED', seconds: 60, basedOnGrants: 300 });
    expect(estimate(history, 99, 180_000).seconds).toBe(60);
    expect(estimate(history, 199, 180_000).seconds).toBe(120);
    expect((first.highSeconds ?? 0) / (first.lowSeconds ?? 1)).toBeGreaterThan(10);
  });

  it('is unknown if all grants came at once', () => {
    expect(estimate(historyOf([5, 5, 5, 5, 5]), 0, 10_000)).toMatchObject({
      kind: 'UNKNOWN',
      basedOnGrants: 5,
    });
  });

  it('names the time observed so far in a new process, instead of claiming that nothing was granted for an hour', () => {
    expect(estimate(historyOf([], 1000), 0, 13_000).reason).toBe(
      'No job with its requirements and share was granted in the 12 s this process has observed; 4 are needed.',
    );
    expect(estimate(historyOf([]), 0, 13_000).reason).toMatch(/in the last hour;/);
  });

  it('ignores grants that are reported again, long after', () => {
    const times = [0, 10_000, 20_000, 30_000];
    expect(estimate(historyOf([...times, 0, 10_000]), 0, 40_000)).toEqual(
      estimate(historyOf(times), 0, 40_000),
    );
  });

  it('is always positive and within its bounds', () => {
    const history = historyOf(Array.from({ length: 500 }, (_, at) => at));
    for (const [before, nowMs] of [
      [0, 499],
      [1_000_000, 500],
      [3, 3_000_000],
    ] as const) {
      const { seconds, lowSeconds, highSeconds } = estimate(history, before, nowMs);
      expect(seconds).toBeGreaterThan(0);
      expect(lowSeconds).toBeLessThan(seconds ?? 0);
      expect(highSeconds).toBeGreaterThan(seconds ?? 0);
    }
  });
});
