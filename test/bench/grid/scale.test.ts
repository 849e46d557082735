import { describe, expect, it } from '@jest/globals';
import { partsOf } from './generators.js';
import {
  assertDescriptors,
  descriptorLimit,
  descriptorsOf,
  jobsPerWorker,
  scaleOf,
  scales,
  workersPerProcess,
} from './scale.js';

describe('scaleOf', () => {
  it('replaces the numbers that options set', () => {
    expect(scaleOf(scales.full, { workers: '500', running: '4000', pending: '10000' })).toEqual({
      ...scales.full,
      ...{ workers: 500, running: 4000, pending: 10_000 },
    });
    expect(scaleOf(scales.brief, {})).toEqual(scales.brief);
  });

  it.each(['0', '-1', '1.5', 'many', '', '10000001'])('refuses %j workers', (workers) => {
    expect(() => scaleOf(scales.brief, { workers })).toThrow(
      `--workers: ${workers} is wrong; must be a whole number from 1 to 10000000`,
    );
  });

  it('refuses fewer running jobs than workers', () => {
    expect(() => scaleOf(scales.full, { running: '100' })).toThrow(
      '--running: 100 is too small; must be at least 75000, a job for each worker',
    );
  });
});

describe('jobsPerWorker', () => {
  it('is eight in a whole grid', () => {
    expect(jobsPerWorker(scales.full)).toBe(8);
  });
});

describe('assertDescriptors', () => {
  it('accepts what the limit allows', () => {
    assertDescriptors(scales.usual, 20_000);
    assertDescriptors(scales.full, Infinity);
    expect(descriptorsOf(scales.full)).toEqual({ gateway: 76_000, generator: workersPerProcess + 1000 });
  });

  it('says what is needed, and with how many gateways the limit would do', () => {
    expect(() => assertDescriptors(scales.full, 20_000)).toThrow(
      'The limit of open files is 20000; 75000 workers at 1 gateways need 76000. ' +
        'Raise it (ulimit -Hn 76000), or use --gateways 4',
    );
    assertDescriptors({ ...scales.full, gateways: 4 }, 20_000);
  });
});

describe('descriptorLimit', () => {
  const line = (hard: string): string =>
    `Max processes 1 2 processes\nMax open files            1024                 ${hard}                files     \n`;

  it.each([
    ['20000', 20_000],
    ['unlimited', Infinity],
  ])('reads the hard limit %s', (hard, expected) => {
    expect(descriptorLimit(line(hard))).toBe(expected);
  });

  it('reads the limit of this process', () => {
    expect(descriptorLimit()).toBeGreaterThan(0);
  });
});

describe('partsOf', () => {
  it.each([
    [75_000, 1],
    [75_000, 4],
    [500, 3],
    [7, 7],
  ])('divides %d workers among %d gateways and processes, each worker once', (workers, gateways) => {
    const parts = partsOf({ workers, gateways });
    let next = 0;
    for (const part of parts) {
      expect(part.first).toBe(next);
      expect(part.workers).toBeGreaterThan(0);
      expect(part.workers).toBeLessThanOrEqual(workersPerProcess);
      next += part.workers;
    }
    expect(next).toBe(workers);
    expect(new Set(parts.map(({ gateway }) => gateway)).size).toBe(gateways);
  });
});
