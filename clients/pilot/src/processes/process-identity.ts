import { readFileSync } from 'node:fs';
import { readProcess } from './process-table.js';

/** A process of this host since its last start. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: number;
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startTicks: readProcess(process.pid)?.startTicks ?? 0 };
}

/** The process with this id now; undefined if it has ended. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const found = readProcess(pid);
  return found && !found.isZombie ? { pid, startTicks: found.startTicks } : undefined;
}

/** True if the process runs. Process ids are reused, and one that has ended may still be in the table. */
export function isRunning({ pid, startTicks }: ProcessIdentity): boolean {
  return identityOf(pid)?.startTicks === startTicks;
}

/** The process in a name such as `spool-PID-START`; undefined for other names. */
export function processIn(name: string, prefix: string): ProcessIdentity | undefined {
  const [, pid, startTicks] =
    /^-(\d+)-(\d+)$/.exec(name.startsWith(prefix) ? name.slice(prefix.length) : '') ?? [];
  return pid === undefined ? undefined : { pid: Number(pid), startTicks: Number(startTicks) };
}

/** A name for this process. */
export function nameOf(prefix: string, { pid, startTicks }: ProcessIdentity): string {
  return `${prefix}-${pid}-${startTicks}`;
}

/** Identifies the last start of the host. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
