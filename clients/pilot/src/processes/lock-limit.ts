import { readFileSync } from 'node:fs';

/**
 * A mark that a process cannot remove: the hard limit of file locks, which Linux has not enforced since 2.4,
 * and which a process inherits and can only lower. Each attempt that runs without a sandbox gets a number of
 * its own, so that its processes are found after they have left their session, parents and environment.
 */
export type LockLimit = number;

/** Numbers of one pilot begin with its process id, so that pilots of one user do not take each other's. */
const numbersOfOnePilot = 2 ** 16;
const lowest = 2 ** 40;
const first = lowest + process.pid * numbersOfOnePilot;

const attempts = new Map<LockLimit, string>();
let next = 0;

/** Takes a number for an attempt; undefined if this process has a limit itself. */
export function acquireLockLimit(attemptId: string): LockLimit | undefined {
  if (readLimit('self') !== undefined) return undefined;
  do next = (next + 1) % numbersOfOnePilot;
  while (attempts.has(first + next));
  attempts.set(first + next, attemptId);
  return first + next;
}

/** Makes the number of an attempt known that another process took. */
export function recordLockLimit(limit: LockLimit, attemptId: string): void {
  attempts.set(limit, attemptId);
}

/** Gives the number of an attempt back. */
export function returnLockLimit(attemptId: string): void {
  for (const [limit, owner] of attempts) if (owner === attemptId) attempts.delete(limit);
}

/** The attempt of a process by its number; undefined if it has none of a known attempt. */
export function attemptByLimit(pid: number): string | undefined {
  if (attempts.size === 0) return undefined;
  const limit = readLimit(pid);
  return limit === undefined ? undefined : attempts.get(limit);
}

/** True if an attempt has a number. */
export function hasLockLimits(): boolean {
  return attempts.size > 0;
}

/** True for a process of an attempt that has ended, or that has lowered its number to hide. */
export function isStray(pid: number): boolean {
  const limit = readLimit(pid);
  return limit !== undefined && limit < first + numbersOfOnePilot && !attempts.has(limit) && !isOthers(limit);
}

const isOthers = (limit: LockLimit): boolean => limit >= lowest && limit < first;

/** The hard limit of file locks; undefined if it is unlimited or unknown. */
function readLimit(pid: number | 'self'): LockLimit | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/limits`, 'latin1');
    const found = /^Max file locks\s+\S+\s+(\d+)/m.exec(text)?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}
