import { readFileSync } from 'node:fs';

/** Milliseconds of a clock tick as Linux reports it to processes, whatever the kernel's own tick is. */
const tickMs = 10;

/**
 * CPU time of a process in milliseconds; undefined if the system does not report it, or if the process has
 * ended.
 */
export function cpuTimeMs(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name is in parentheses and may contain any character; the third field follows it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * tickMs;
  } catch {
    return undefined;
  }
}
