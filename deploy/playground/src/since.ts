/** How long ago the command was given: npm's own start and the build before this process belong to it. */
import { readFileSync } from 'node:fs';

const ticksPerSecond = 100;
/** npm writes what it was asked for over its command line. */
const givesCommand = /npm[\0 ]run(-script)?[\0 ]playground/;

/** Answers the seconds since `npm run playground` was typed, or since this process began where that is not known. */
export function secondsSinceCommand(): () => number {
  const earlier = secondsBefore();
  return () => process.uptime() + earlier;
}

/** Seconds from the start of the npm process above this one to the start of this one; 0 where there is none, or no /proc. */
function secondsBefore(): number {
  try {
    const own = startTicks(process.pid);
    for (let pid = process.ppid, depth = 0; pid > 1 && depth < 4; pid = parentOf(pid), depth += 1) {
      if (givesCommand.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')))
        return Math.max(0, (own - startTicks(pid)) / ticksPerSecond);
    }
  } catch {
    // No /proc on this system: the process's own age must do.
  }
  return 0;
}

const statOf = (pid: number) =>
  readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
const startTicks = (pid: number) => Number(statOf(pid)[19]);
const parentOf = (pid: number) => Number(statOf(pid)[1]);
