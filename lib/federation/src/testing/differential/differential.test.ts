import { describe, expect, it } from '@jest/globals';
import { runCampaign } from './campaign.js';
import { asServed, plain } from './reach.js';

// A short version of differential.e2e.ts: random operations over random supergraphs, compared with graphql-js
// on one schema with the same values. A failure prints its seed and the smallest operation that fails.

describe('random operations over random supergraphs', () => {
  it('returns the answers of one schema by either planner', async () => {
    const result = await runCampaign({
      seed: 'short',
      arenas: 8,
      operationsPerArena: 25,
      reach: plain,
      engine: { planning: 'worker' },
    });
    expect(result.failures).toEqual([]);
    expect(result.operations).toBeGreaterThan(120);
  });

  it('returns the answers of one schema by the fallback planner alone, on subgraphs as in production', async () => {
    const result = await runCampaign({
      seed: 'fallback',
      arenas: 10,
      operationsPerArena: 25,
      reach: asServed('jit'),
      engine: { planner: 'fallback' },
    });
    expect(result.failures).toEqual([]);
    expect(result.operations).toBeGreaterThan(150);
  });
});
