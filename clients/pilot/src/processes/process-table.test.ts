import { describe, expect, test } from '@jest/globals';
import { processesOf } from './attempt-processes.js';
import { EnvironmentMemory } from './environment-memory.js';
import { parseStat, type ProcessEntry } from './process-table.js';

describe('/proc/<pid>/stat', () => {
  const rest = 'S 7 42 41 0 -1 4194560 1 2 3 4 100 20 30 4 20 0 1 0 987654 2 3';

  test('is read field by field', () => {
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

  test.each(['a b', '(x) S 1', 'R) 9 (', ''])('is read past a program called %j', (name) => {
    expect(parseStat(`42 (${name}) ${rest}`)).toMatchObject({ pid: 42, parent: 7, startTicks: 987654 });
  });

  test('that is no such text gives nothing', () => {
    expect(parseStat('')).toBeUndefined();
  });
});

describe('the processes of an attempt', () => {
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

  test('are its group, its session, carriers of its id, and their descendants', () => {
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

  test('are not those of a group that has the number of the old one', () => {
    const table = tableOf(at(100, 1, 100, 100, 999), at(101, 100, 100, 100));
    expect(processesOf({ attemptId: 'a', leader: { pid: 100, startTicks: 100 } }, table, none)).toEqual([]);
  });

  test('are found in the group also when its leader has gone', () => {
    const table = tableOf(at(101, 1, 100, 100));
    expect(pids(processesOf({ attemptId: 'a', leader: { pid: 100, startTicks: 100 } }, table, none))).toEqual(
      [101],
    );
  });

  test('are never this process or the first one', () => {
    const table = tableOf(at(1, 0), at(process.pid, 1), at(101, process.pid));
    expect(pids(processesOf({ attemptId: 'a' }, table, () => 'a'))).toEqual([101]);
  });

  test('have their environments looked at once, and again when a number is that of another process', () => {
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
