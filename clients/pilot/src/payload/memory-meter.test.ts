import { describe, expect, it } from '@jest/globals';
import type { ProcessMemory } from '../processes/process-table.js';
import { MemoryMeter } from './memory-meter.js';

const limitBytes = 1000;

/** A meter with values that a test sets; counts how often PSS is read. */
class Bench {
  nowMs = 0;
  sharedFiles = 0;
  resident: Record<number, ProcessMemory | undefined> = {};
  proportional: Record<number, ProcessMemory | undefined> = {};
  proportionalReads = 0;
  readonly #meter = new MemoryMeter({
    limitBytes,
    nowMs: () => this.nowMs,
    sharedFiles: () => this.sharedFiles,
    resident: (pid) => this.resident[pid] ?? none,
    proportional: (pid) => {
      this.proportionalReads += 1;
      return this.proportional[pid];
    },
  });

  measure(...pids: readonly number[]): number {
    return this.#meter.measure(pids);
  }
}

const none: ProcessMemory = { bytes: 0, sharedBytes: 0 };
const memory = (bytes: number, sharedBytes = 0): ProcessMemory => ({ bytes, sharedBytes });

describe('MemoryMeter', () => {
  it('adds resident sets, and reads no PSS, up to 80 % of the limit', () => {
    const bench = new Bench();
    bench.resident = { 1: memory(500), 2: memory(300) };
    expect(bench.measure(1, 2)).toBe(800);
    expect(bench.proportionalReads).toBe(0);
  });

  it('counts shared pages once beyond that', () => {
    const bench = new Bench();
    bench.resident = { 1: memory(800), 2: memory(800) };
    bench.proportional = { 1: memory(400), 2: memory(400) };
    expect(bench.measure(1, 2)).toBe(800);
  });

  it('reads PSS once in 10 s while the resident sets do not grow over the limit', () => {
    const bench = new Bench();
    bench.resident = { 1: memory(2000) };
    bench.proportional = { 1: memory(500) };
    for (bench.nowMs = 0; bench.nowMs < 10_000; bench.nowMs += 1000) expect(bench.measure(1)).toBe(500);
    expect(bench.proportionalReads).toBe(1);
    expect(bench.measure(1)).toBe(500);
    expect(bench.proportionalReads).toBe(2);
  });

  it('adds the growth of the resident sets to the last PSS', () => {
    const bench = new Bench();
    bench.resident = { 1: memory(2000) };
    bench.proportional = { 1: memory(500) };
    bench.measure(1);
    bench.resident = { 1: memory(1900) };
    expect(bench.measure(1)).toBe(500);
    bench.resident = { 1: memory(2100) };
    expect(bench.measure(1)).toBe(700);
    expect(bench.proportionalReads).toBe(1);
  });

  it('reads PSS once in 10 s also while the resident sets move around 80 % of the limit', () => {
    const bench = new Bench();
    bench.proportional = { 1: memory(300) };
    for (bench.nowMs = 0; bench.nowMs < 10_000; bench.nowMs += 1000) {
      bench.resident = { 1: memory(bench.nowMs % 2000 === 0 ? 900 : 700) };
      expect(bench.measure(1)).toBe(bench.nowMs % 2000 > 0 ? 700 : bench.nowMs === 0 ? 300 : 500);
    }
    expect(bench.proportionalReads).toBe(1);
  });

  it('reads PSS before it reports more than the limit', () => {
    const bench = new Bench();
    bench.resident = { 1: memory(2000) };
    bench.proportional = { 1: memory(500) };
    bench.measure(1);
    bench.resident = { 1: memory(2600) };
    bench.proportional = { 1: memory(900) };
    expect(bench.measure(1)).toBe(900);
    bench.resident = { 1: memory(2800) };
    bench.proportional = { 1: memory(1001) };
    expect(bench.measure(1)).toBe(1001);
    expect(bench.proportionalReads).toBe(3);
  });

  it('takes the resident set of a process whose PSS it may not read', () => {
    const bench = new Bench();
    bench.resident = { 1: memory(600), 2: memory(600) };
    bench.proportional = { 1: memory(100) };
    expect(bench.measure(1, 2)).toBe(700);
  });

  it('counts a file in /dev/shm once, whether it is mapped or not', () => {
    const bench = new Bench();
    bench.sharedFiles = 300;
    bench.resident = { 1: memory(100) };
    expect(bench.measure(1)).toBe(400);
    bench.resident = { 1: memory(400, 300) };
    expect(bench.measure(1)).toBe(400);
  });
});
