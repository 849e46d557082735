// Runs when a pilot has died: kills everything that is left of the attempt. Arguments: the attempt's id, and
// the process id and start time of the payload's leader if there was one.
import { recordLockLimit } from '../processes/lock-limit.js';
import { killAttempt } from '../processes/sweep.js';

const [attemptId, pid, startTicks, lockLimit] = process.argv.slice(2);
if (attemptId === undefined || attemptId === '') process.exit(64);
if (lockLimit) recordLockLimit(Number(lockLimit), attemptId);
const leader = pid && startTicks ? { pid: Number(pid), startTicks: Number(startTicks) } : undefined;
// More looks than the pilot takes: the pilot may have died between a payload's fork and its exec, and until
// then the new process shows the pilot's environment.
process.exitCode =
  (await killAttempt({ attemptId, leader }, { deadlineMs: 60_000, emptyRounds: 10 })) === 0 ? 0 : 1;
