import { readProcess } from './process-table.js';

/**
 * Names this process, as `PID-START`, in the names of its folders. Other pilots can see by it whether a
 * folder is still in use.
 */
export function processStamp(): string {
  return `${process.pid}-${readProcess(process.pid)?.startTicks ?? 0}`;
}

/** True if the process of a stamp runs: not another one that has its id now. */
export function isRunning(stamp: string): boolean {
  const [pid, startTicks] = stamp.split('-').map(Number);
  return pid !== undefined && readProcess(pid)?.startTicks === startTicks;
}
