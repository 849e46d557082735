/** For tests: processes by their command lines. */
import { readFileSync } from 'node:fs';
import { readProcessTable } from '../processes/process-table.js';

/** The program and arguments of a process; empty if it has ended. */
export function commandLine(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

/** Running processes with this argument. */
export function processesWith(argument: string): readonly number[] {
  return [...readProcessTable().values()]
    .filter(({ pid, isZombie }) => !isZombie && commandLine(pid).includes(argument))
    .map(({ pid }) => pid);
}
