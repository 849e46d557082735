import { describe, expect, test } from '@jest/globals';
import { runCampaign } from './campaign.js';
import { asServed, plain } from './reach.js';

// A short run of what differential.e2e.ts does at length: random operations over random supergraphs, beside graphql-js
// on one schema with the same values. A failure prints its seed and the smallest operation that fails.

/** Shared machines are slow at times. */
const timeoutMs = 120_000;

describe('random operations over random supergraphs answer as one schema would', () => {
  test(
    'by either planner',
    async () => {
      const result = await runCampaign({
        seed: 'short',
        arenas: 8,
        operationsPerArena: 25,
        reach: plain,
        engine: { planning: 'worker' },
      });
      expect(result.failures).toEqual([]);
      expect(result.operations).toBeGreaterThan(120);
    },
    timeoutMs,
  );

  test(
    'by the fallback planner alone, on subgraphs as production runs them',
    async () => {
      const result = await runCampaign({
        seed: 'fallback',
        arenas: 10,
        operationsPerArena: 25,
        reach: asServed('jit'),
        engine: { planner: 'fallback' },
      });
      expect(result.failures).toEqual([]);
      expect(result.operations).toBeGreaterThan(150);
    },
    timeoutMs,
  );
});
