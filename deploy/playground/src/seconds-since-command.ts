/** Time since the command was typed, including npm's own start and the build before this process. */
import { readFileSync } from 'node:fs';

const ticksPerSecond = 100;
/** npm overwrites its command line with the command it runs. */
const givesCommand = /npm[\0 ]run(-script)?[\0 ]playground/;

/** Seconds since `npm run playground` was typed, or since this process started if that is unknown. */
export function secondsSinceCommand(): () => number {
  const earlier = secondsBefore();
  return () => process.uptime() + earlier;
}

/** Seconds between the start of the parent npm process and of this one; 0 without one, or without /proc. */
function secondsBefore(): number {
  try {
    const own = startTicks(process.pid);
    for (let pid = process.ppid, depth = 0; pid > 1 && depth < 4; pid = parentOf(pid), depth += 1) {
      if (givesCommand.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')))
        return Math.max(0, (own - startTicks(pid)) / ticksPerSecond);
    }
  } catch {
    // Without /proc only the age of this process is known.
  }
  return 0;
}

const statOf = (pid: number) =>
  readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
const startTicks = (pid: number) => Number(statOf(pid)[19]);
const parentOf = (pid: number) => Number(statOf(pid)[1]);
