import { setTimeout as pause } from 'node:timers/promises';
import { readAttemptId, processesOf, type AttemptMark, type AttemptOf } from './attempt-processes.js';
import { readProcessTable, type ProcessEntry } from './process-table.js';

const roundMs = 10;

/** How hard to look. */
export interface SweepOptions {
  /** After this time what still lives is given up: it hangs in the kernel. */
  readonly deadlineMs?: number;
  /** Looks in a row that must find nothing: a look at /proc is not atomic, a process may hand over to a child behind it. */
  readonly emptyRounds?: number;
  /** How environments are looked at. */
  readonly attemptOf?: AttemptOf;
}

/** Sends a signal to every process of the attempt, once. Returns how many there were. */
export function signalAttempt(
  mark: AttemptMark,
  signal: NodeJS.Signals,
  attemptOf: AttemptOf = readAttemptId,
): number {
  const alive = living(mark, attemptOf);
  alive.forEach((entry) => send(entry, signal));
  return alive.length;
}

/**
 * Kills every process of the attempt and does so again until none is found any more. Processes are stopped before they
 * are killed, so that none can fork in between. Returns how many still live at the deadline: such as cannot be interrupted.
 */
export async function killAttempt(mark: AttemptMark, options: SweepOptions = {}): Promise<number> {
  const { deadlineMs = 10_000, emptyRounds: quietRounds = 2, attemptOf = readAttemptId } = options;
  const end = performance.now() + deadlineMs;
  for (let quiet = 0; quiet < quietRounds;) {
    const alive = living(mark, attemptOf);
    quiet = alive.length === 0 ? quiet + 1 : 0;
    if (alive.length > 0 && performance.now() > end) return alive.length;
    alive.forEach((entry) => send(entry, 'SIGSTOP'));
    alive.forEach((entry) => send(entry, 'SIGKILL'));
    if (quiet < quietRounds) await pause(roundMs);
  }
  return 0;
}

function living(mark: AttemptMark, attemptOf: AttemptOf): readonly ProcessEntry[] {
  return processesOf(mark, readProcessTable(), attemptOf).filter(({ isZombie }) => !isZombie);
}

function send({ pid }: ProcessEntry, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended, or belongs to somebody else: the next round tells.
  }
}
