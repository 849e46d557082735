import { describe, expect, it } from '@jest/globals';
import { dueWorkers, Pace, sourceAddress } from './schedule.js';

const fleet = { workers: 75, periodMs: 60_000 };

/** All turns of a time that is cut into ticks of different length. */
function turns(untilMs: number): number[] {
  const found: number[] = [];
  for (let from = 0, tick = 0; from < untilMs; tick += 1) {
    const until = Math.min(untilMs, from + 7 + (tick % 31));
    found.push(...dueWorkers({ from, until }, fleet));
    from = until;
  }
  return found;
}

describe('dueWorkers', () => {
  it('gives each worker one turn in a period, in order, however the time is cut', () => {
    const all = Array.from({ length: fleet.workers }, (_, worker) => worker);
    expect(turns(fleet.periodMs)).toEqual(all);
    expect(turns(2 * fleet.periodMs)).toEqual([...all, ...all]);
  });

  it('spreads the turns evenly', () => {
    for (let from = 0; from < fleet.periodMs; from += 8000)
      expect([...dueWorkers({ from, until: from + 8000 }, fleet)].length).toBeLessThanOrEqual(10);
  });

  it('gives each worker one turn after a stall of several periods', () => {
    const found = [...dueWorkers({ from: 0, until: 10 * fleet.periodMs }, fleet)];
    expect(found).toHaveLength(fleet.workers);
    expect(new Set(found).size).toBe(fleet.workers);
  });

  it('has no turns without workers', () => {
    expect([...dueWorkers({ from: 0, until: 1000 }, { workers: 0, periodMs: 1000 })]).toEqual([]);
  });
});

describe('Pace', () => {
  it('carries parts of events over', () => {
    const pace = new Pace();
    pace.set(100);
    let events = 0;
    for (let tick = 0; tick < 1000; tick += 1) events += pace.after(7);
    expect(events).toBe(700);
  });

  it('has no events at rest', () => {
    const pace = new Pace();
    pace.set(0);
    expect(pace.after(60_000)).toBe(0);
  });
});

describe('sourceAddress', () => {
  it('gives a number of workers the same address, and the next ones another', () => {
    expect([0, 14_999, 15_000].map((worker) => sourceAddress(worker, 15_000))).toEqual([
      '127.0.0.3',
      '127.0.0.3',
      '127.0.0.4',
    ]);
  });

  it('stays in the loopback network', () => {
    expect(sourceAddress(3_000_000, 10_000)).toBe('127.0.1.53');
  });
});
