import { describe, expect, it } from '@jest/globals';
import type { ProcessEntry } from '../processes/process-table.js';
import { nothing, ReapedAccounts, type Amounts } from './reaped-accounts.js';
import { UsageMeter, type ReadAccount } from './usage-meter.js';

const leaderPid = 100;

function entry(pid: number, parent: number, ownTicks: number, childTicks = 0): ProcessEntry {
  return {
    pid,
    parent,
    group: leaderPid,
    session: leaderPid,
    startTicks: pid,
    isZombie: false,
    ownTicks,
    childTicks,
  };
}

/** Traffic equals the time, so that one expectation covers both. */
const account: ReadAccount = (of) => {
  const cpuTicks = of.ownTicks + of.childTicks;
  return { entry: of, cpuTicks, readBytes: cpuTicks, writeBytes: 0 };
};
const meter = (memory: Readonly<Record<number, number>> = {}): UsageMeter =>
  new UsageMeter(leaderPid, (pids) => pids.reduce((sum, pid) => sum + (memory[pid] ?? 0), 0), account);

const ticks = (cpuTicks: number): Amounts => ({ cpuTicks, readBytes: cpuTicks, writeBytes: 0 });

describe('UsageMeter: CPU time', () => {
  it('counts a child that its parent waited for once', () => {
    const m = meter();
    m.observe([entry(leaderPid, 1, 10), entry(101, leaderPid, 50)]);
    m.observe([entry(leaderPid, 1, 12, 60)]);
    expect(m.finish([], nothing, 1)).toMatchObject({ cpuSeconds: 0.72, readBytes: 72 });
  });

  it('keeps the last known time of a child that ended with its parent', () => {
    const m = meter();
    m.observe([entry(leaderPid, 1, 10), entry(101, leaderPid, 50)]);
    expect(m.finish([], nothing, 1).cpuSeconds).toBe(0.6);
  });

  it("takes the kernel's figure for the tree if it is larger", () => {
    const m = meter();
    m.observe([entry(leaderPid, 1, 10), entry(101, leaderPid, 50)]);
    expect(m.finish([], ticks(200), 1).cpuSeconds).toBe(2);
  });

  it('keeps the time of a process with another parent after its end', () => {
    const m = meter();
    m.observe([entry(leaderPid, 1, 10), entry(102, 1, 30)]);
    m.observe([entry(leaderPid, 1, 10)]);
    expect(m.finish([], ticks(15), 1).cpuSeconds).toBe(0.45);
  });

  it('counts a process that outlives the leader', () => {
    const m = meter();
    m.observe([entry(leaderPid, 1, 10), entry(102, leaderPid, 30)]);
    expect(m.finish([entry(102, 1, 40)], ticks(15), 1).cpuSeconds).toBe(0.55);
  });

  it('does not confuse processes with a reused id', () => {
    const m = meter();
    m.observe([entry(leaderPid, 1, 10), entry(102, 1, 30)]);
    m.observe([entry(leaderPid, 1, 10), { ...entry(102, 1, 5), startTicks: 999 }]);
    expect(m.finish([], ticks(10), 1).cpuSeconds).toBe(0.45);
  });
});

describe('UsageMeter: memory', () => {
  it('is the largest sum of one moment, not the sum of the largest', () => {
    const mib = 1024 ** 2;
    const memory: Record<number, number> = { [leaderPid]: 10 * mib, 101: 100 * mib };
    const m = meter(memory);
    m.observe([entry(leaderPid, 1, 1), entry(101, leaderPid, 1)]);
    memory[leaderPid] = 60 * mib;
    m.observe([entry(leaderPid, 1, 1)]);
    expect(m.finish([], ticks(1), 1)).toMatchObject({ peakMemoryMiB: 110, isPartial: false });
  });

  it("is unknown without a sample, while the kernel's figures are known", () => {
    expect(meter().finish([], ticks(7), 0.01)).toEqual({
      cpuSeconds: 0.07,
      wallSeconds: 0.01,
      peakMemoryMiB: null,
      readBytes: 7,
      writeBytes: 0,
      isPartial: true,
    });
  });
});

describe('ReapedAccounts', () => {
  it('reports the growth of the sums since the last child', async () => {
    let sum = 1000;
    const reaped = new ReapedAccounts(() => ticks(sum));
    sum = 1010;
    reaped.rebase();
    sum = 1060;
    expect(await reaped.usageOfEnded(ticks(20))).toEqual(ticks(50));
    sum = 1065;
    expect(await reaped.usageOfEnded(nothing)).toEqual(ticks(5));
  });

  it('shares growth among children that end at once', async () => {
    let sum = 0;
    const reaped = new ReapedAccounts(() => ticks(sum));
    sum = 100;
    expect(await Promise.all([reaped.usageOfEnded(ticks(60)), reaped.usageOfEnded(ticks(20))])).toEqual([
      ticks(70),
      ticks(30),
    ]);
  });
});
