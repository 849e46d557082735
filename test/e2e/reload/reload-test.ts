/** Reloads of a large supergraph as a test, in the size of `npm test` and of `npm run soak`. */
import { expect, it } from '@jest/globals';
import { growthMiB, reload, settledAt } from '../../bench/swap/reloads.js';

const streams = 100;

/**
 * Declares the test. An engine is made for each version of a supergraph. The planner's memory, which the
 * garbage collector does not see, is that of a process, and goes with it; clients' streams stay.
 */
export function reloadTest(reloads: number, timeoutMs: number): void {
  it(
    `releases memory and processes over ${reloads} reloads of a large supergraph, and interrupts no stream`,
    async () => {
      const result = await reload(reloads, streams);
      const grown = growthMiB(result);
      process.stdout.write(
        `from the ${settledAt}th to the ${reloads}th reload of ${result.supergraphBytes} bytes: ${Math.round(grown)} MiB, ${result.delivered} events\n`,
      );
      expect(result.supergraphBytes).toBeGreaterThan(150_000);
      expect(result.faults).toEqual([]);
      expect(result.delivered).toBeGreaterThan(2 * streams);
      expect(grown).toBeLessThanOrEqual(100);
      // The planner of the version that is served, and none of those before it.
      expect(result.memory.map(({ planners }) => planners)).toEqual(result.memory.map(() => 1));
    },
    timeoutMs,
  );
}
