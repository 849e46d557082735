import { setTimeout as pause } from 'node:timers/promises';
import { readAttemptId, processesOf, type AttemptMark, type AttemptOf } from './attempt-processes.js';
import { hasLockLimits, isStray } from './lock-limit.js';
import { readProcessTable, type ProcessEntry, type ProcessTable } from './process-table.js';

const roundMs = 10;

/** Thoroughness of a sweep. */
export interface SweepOptions {
  /** Time after which remaining processes are given up: they hang in the kernel. */
  readonly deadlineMs?: number;
  /**
   * Consecutive looks that must find nothing: a look at /proc is not atomic, and a process may fork behind
   * it.
   */
  readonly emptyRounds?: number;
  /** Reads the attempt id of a process. */
  readonly attemptOf?: AttemptOf;
}

/**
 * Sends a signal to every process of the attempt that the condition selects, once. Returns their number.
 */
export function signalAttempt(
  mark: AttemptMark,
  signal: NodeJS.Signals,
  attemptOf: AttemptOf = readAttemptId,
  isMeant: (entry: ProcessEntry) => boolean = () => true,
): number {
  const alive = living(mark, readProcessTable(), attemptOf).filter(isMeant);
  alive.forEach((entry) => send(entry, signal));
  return alive.length;
}

/**
 * Kills the processes of the attempt until none is found any more. They are stopped before they are killed,
 * so that none can fork in between. Returns the number of those still alive at the deadline, which cannot be
 * interrupted.
 */
export async function killAttempt(mark: AttemptMark, options: SweepOptions = {}): Promise<number> {
  const { deadlineMs = 10_000, emptyRounds = 2, attemptOf = readAttemptId } = options;
  const end = performance.now() + deadlineMs;
  for (let empty = 0; empty < emptyRounds;) {
    mark.group?.kill();
    const table = readProcessTable();
    const alive = [...living(mark, table, attemptOf), ...straysSince(mark, table)];
    empty = alive.length === 0 ? empty + 1 : 0;
    if (alive.length > 0 && performance.now() > end) return alive.length;
    alive.forEach((entry) => send(entry, 'SIGSTOP'));
    alive.forEach((entry) => send(entry, 'SIGKILL'));
    if (empty < emptyRounds) await pause(roundMs);
  }
  return 0;
}

function living(mark: AttemptMark, table: ProcessTable, attemptOf: AttemptOf): readonly ProcessEntry[] {
  return processesOf(mark, table, attemptOf).filter(({ isZombie }) => !isZombie);
}

/** Processes without an attempt that started during this one. */
function straysSince({ leader }: AttemptMark, table: ProcessTable): readonly ProcessEntry[] {
  if (leader === undefined || !hasLockLimits()) return [];
  return [...table.values()].filter(
    ({ pid, startTicks, isZombie }) => !isZombie && startTicks >= leader.startTicks && isStray(pid),
  );
}

function send({ pid }: ProcessEntry, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended or belongs to another user: the next round shows.
  }
}
