import { readFileSync } from 'node:fs';

/** Milliseconds of a clock tick as Linux reports it to processes, whatever the kernel's own tick is. */
const tickMs = 10;

/** CPU time of a process in milliseconds; undefined where the system does not say, or it has ended. */
export function cpuTimeMs(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program stands in parentheses and may hold anything; the third field comes after it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * tickMs;
  } catch {
    return undefined;
  }
}
