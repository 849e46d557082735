import { readFileSync } from 'node:fs';

/** Returns true if a process with this id runs, of any user; a zombie does not count. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return !/^[ZX]/.test(statFields(pid)[0] ?? '');
}

/**
 * Start time of a process in kernel ticks, which distinguishes it from a later one with the same id. Linux
 * only; otherwise undefined.
 */
export function startOf(pid: number): string | undefined {
  return statFields(pid)[19];
}

/** Sends a signal; a process that is gone is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The fields of /proc/<pid>/stat from the third on, the state. The second is a name that may hold blanks. */
function statFields(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
