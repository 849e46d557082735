import { readdirSync, readFileSync } from 'node:fs';
import { waitFor } from './wait-for.js';

/**
 * Stops a process, and waits until all of its threads stand: on a busy machine they go on for a moment after
 * the signal.
 * @returns function that lets it run again
 */
export async function pauseProcess(pid: number): Promise<() => void> {
  process.kill(pid, 'SIGSTOP');
  await waitFor(`process ${pid} to be stopped`, () => threadStates(pid).every((state) => state === 'T'), {
    deadlineMs: 5_000,
  });
  return () => process.kill(pid, 'SIGCONT');
}

/** States of the threads of a process, as one letter each (`/proc/PID/task/TID/stat`). */
export function threadStates(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    // The name of the program before it is in parentheses, and may have some itself.
    return text.charAt(text.lastIndexOf(')') + 2);
  });
}
