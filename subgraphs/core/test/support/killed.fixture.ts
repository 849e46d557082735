/** For tests: processes that are killed at each of their writes. */
import { Killed } from './workflow-steps.fixture.js';

/** True if the process that does the work is killed. */
export async function isKilled(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (error instanceof Killed) return true;
    throw error;
  }
}

/** Lets processes live that are killed at each of their writes, some at a time. @returns number of kills */
export async function atEachWrite(live: (killAt: number) => Promise<boolean>): Promise<number> {
  const atOnce = 12;
  for (let kills = 0; ;) {
    const first = kills + 1;
    const lives = await Promise.all(Array.from({ length: atOnce }, (_, at) => live(first + at)));
    kills += lives.filter((wasKilled) => wasKilled).length;
    if (lives.includes(false)) return kills;
  }
}
