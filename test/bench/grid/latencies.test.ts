import { describe, expect, it } from '@jest/globals';
import { Latencies } from './latencies.js';

describe('Latencies', () => {
  it('finds a quantile within 5 %', () => {
    const latencies = new Latencies();
    for (let ms = 1; ms <= 1000; ms += 1) latencies.record(ms);
    for (const part of [0.01, 0.5, 0.99, 1]) {
      const found = latencies.quantile(part);
      expect(found).toBeGreaterThanOrEqual(part * 1000);
      expect(found).toBeLessThanOrEqual(part * 1000 * 1.05);
    }
  });

  it('adds up those of several processes', () => {
    const [one, other] = [new Latencies(), new Latencies()];
    for (let index = 0; index < 99; index += 1) one.record(2);
    other.record(500);
    one.add(other.counts);
    expect(one.size).toBe(100);
    expect(one.quantile(0.99)).toBeLessThan(2.2);
    expect(one.quantile(1)).toBeGreaterThanOrEqual(500);
    expect(new Latencies(one.counts).counts).toEqual(one.counts);
  });

  it('has no quantile without entries', () => {
    expect(new Latencies().quantile(0.99)).toBeNaN();
  });

  it('takes latencies of any length', () => {
    const latencies = new Latencies();
    for (const ms of [0, 0.05, 1e9]) latencies.record(ms);
    expect(latencies.size).toBe(3);
    expect(latencies.quantile(0.5)).toBeCloseTo(0.1);
  });
});
