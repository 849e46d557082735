// Runs when a pilot has died: kills everything that is left of the attempt. Arguments: the attempt's id, and
// the process id and start time of the payload's leader if there was one, the mark of its processes or -, and
// the folder of its control group.
import { ControlGroup } from '../processes/control-group.js';
import { recordLockLimit } from '../processes/lock-limit.js';
import { killAttempt } from '../processes/sweep.js';

const [attemptId, pid, startTicks, lockLimit, groupFolder] = process.argv.slice(2);
if (attemptId === undefined || attemptId === '') process.exit(64);
if (lockLimit && lockLimit !== '-') recordLockLimit(Number(lockLimit), attemptId);
const leader = pid && startTicks ? { pid: Number(pid), startTicks: Number(startTicks) } : undefined;
// More looks than the pilot takes: the pilot may have died between a payload's fork and its exec, and until
// then the new process shows the pilot's environment.
const group = groupFolder ? new ControlGroup(groupFolder) : undefined;
const left = await killAttempt({ attemptId, leader, group }, { deadlineMs: 60_000, emptyRounds: 10 });
await group?.remove();
process.exitCode = left === 0 ? 0 : 1;
