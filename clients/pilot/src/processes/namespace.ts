import { readFileSync } from 'node:fs';
import type { ProcessEntry } from './process-table.js';

/** The processes of a sandbox that start the payload have the ids 1 and 2 in it. */
const supervisors = 2;

/** True for processes of a sandboxed payload, and false for those that supervise it. */
export function isInside({ pid }: ProcessEntry): boolean {
  const ids = namespaceIds(pid);
  return ids.length > 1 && (ids.at(-1) ?? 0) > supervisors;
}

/** The ids of a process in its namespaces, from the one of this process inwards; empty if it has ended. */
function namespaceIds(pid: number): readonly number[] {
  try {
    const line = /^NSpid:\t(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return line?.split('\t').map(Number) ?? [];
  } catch {
    return [];
  }
}
