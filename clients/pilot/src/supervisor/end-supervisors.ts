import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isOwnFolder } from '../files/scratch.js';
import { isRunning } from '../processes/process-identity.js';
import { killAttempt } from '../processes/sweep.js';
import { recordedAttempts } from './attempt-record.js';
import { supervisorOf } from './supervisor-options.js';

/**
 * Kills the supervisors in a scratch folder with their payloads, for callers whose pilots do not return. Call
 * it when no pilot uses the folder.
 */
export async function endSupervisors(scratch: string): Promise<void> {
  for (const name of await readdir(scratch).catch((): string[] => [])) {
    const folder = join(scratch, name);
    const supervisor = supervisorOf(folder);
    if (supervisor === undefined || !isRunning(supervisor) || !(await isOwnFolder(folder))) continue;
    process.kill(supervisor.pid, 'SIGKILL');
    while (isRunning(supervisor)) await pause(10);
    for (const attemptId of await recordedAttempts(folder)) await killAttempt({ attemptId });
  }
}
