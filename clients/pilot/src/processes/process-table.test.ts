import { describe, expect, it } from '@jest/globals';
import { processesOf } from './attempt-processes.js';
import { EnvironmentMemory } from './environment-memory.js';
import { parseStat, type ProcessEntry } from './process-table.js';

describe('parseStat', () => {
  const rest = 'S 7 42 41 0 -1 4194560 1 2 3 4 100 20 30 4 20 0 1 0 987654 2 3';

  it('reads each field', () => {
    expect(parseStat(`42 (sh) ${rest}`)).toEqual({
      pid: 42,
      parent: 7,
      group: 42,
      session: 41,
      startTicks: 987654,
      isZombie: false,
      ownTicks: 120,
      childTicks: 34,
    });
  });

  it.each(['a b', '(x) S 1', 'R) 9 (', ''])('reads past a program that is called %j', (name) => {
    expect(parseStat(`42 (${name}) ${rest}`)).toMatchObject({ pid: 42, parent: 7, startTicks: 987654 });
  });

  it('is undefined for other text', () => {
    expect(parseStat('')).toBeUndefined();
  });
});

describe('processesOf', () => {
  const at = (pid: number, parent: number, group = pid, session = group, startTicks = pid): ProcessEntry => ({
    pid,
    parent,
    group,
    session,
    startTicks,
    isZombie: false,
    ownTicks: 0,
    childTicks: 0,
  });
  const tableOf = (...entries: ProcessEntry[]): Map<number, ProcessEntry> =>
    new Map(entries.map((entry) => [entry.pid, entry]));
  const pids = (entries: readonly ProcessEntry[]): number[] =>
    entries.map(({ pid }) => pid).sort((a, b) => a - b);
  const none = (): undefined => undefined;

  it('finds the group, the session, carriers of the id, and their descendants', () => {
    const table = tableOf(
      at(100, 50),
      at(101, 100, 100),
      at(102, 1, 102, 100),
      at(103, 1),
      at(104, 103),
      at(105, 104),
      at(200, 50),
    );
    const carries = ({ pid }: ProcessEntry): string | undefined =>
      pid === 103 ? 'a' : pid === 200 ? 'b' : undefined;
    const mark = { attemptId: 'a', leader: { pid: 100, startTicks: 100 } };
    expect(pids(processesOf(mark, table, carries))).toEqual([100, 101, 102, 103, 104, 105]);
  });

  it('ignores a group that reuses the id', () => {
    const table = tableOf(at(100, 1, 100, 100, 999), at(101, 100, 100, 100));
    expect(processesOf({ attemptId: 'a', leader: { pid: 100, startTicks: 100 } }, table, none)).toEqual([]);
  });

  it('finds the group after its leader has ended', () => {
    const table = tableOf(at(101, 1, 100, 100));
    expect(pids(processesOf({ attemptId: 'a', leader: { pid: 100, startTicks: 100 } }, table, none))).toEqual(
      [101],
    );
  });

  it('never finds this process or the first one', () => {
    const table = tableOf(at(1, 0), at(process.pid, 1), at(101, process.pid));
    expect(pids(processesOf({ attemptId: 'a' }, table, () => 'a'))).toEqual([101]);
  });

  it('reads each environment once, and again for a reused id', () => {
    const looks: number[] = [];
    const memory = new EnvironmentMemory(({ pid, startTicks }) => {
      looks.push(pid);
      return `att_${startTicks}`;
    });
    expect([at(7, 1), at(7, 1), { ...at(7, 1), startTicks: 99 }].map(memory.attemptOf)).toEqual([
      'att_7',
      'att_7',
      'att_99',
    ]);
    expect(looks).toEqual([7, 7]);
    memory.keepOnly(tableOf());
    memory.attemptOf({ ...at(7, 1), startTicks: 99 });
    expect(looks).toEqual([7, 7, 7]);
  });
});
