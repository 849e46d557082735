import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { ProcessEntry } from './process-table.js';

/** True if a process has a handler for a signal: others would end by it, or ignore it. */
export function handlesSignal({ pid }: Pick<ProcessEntry, 'pid'>, signal: NodeJS.Signals): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const mask = /^SigCgt:\t([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
    return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
  } catch {
    // It has ended.
    return false;
  }
}
