import { describeCampaigns } from './campaign-suite.js';

// More than 8,000 random operations over 80 random supergraphs; the soak test runs over 100,000.

describeCampaigns({
  campaigns: [
    { seed: 'a', arenas: 12, operationsPerArena: 130, reach: 'graphql-js', planner: 'process' },
    {
      seed: 'f',
      arenas: 16,
      operationsPerArena: 130,
      reach: 'graphql-js',
      planner: 'process',
      emphasis: 'required',
    },
    { seed: 'b', arenas: 18, operationsPerArena: 130, reach: 'compiled subgraphs', planner: 'process' },
    { seed: 'c', arenas: 20, operationsPerArena: 120, reach: 'interpreted subgraphs', planner: 'fallback' },
    { seed: 'e', arenas: 16, operationsPerArena: 110, reach: 'compiled subgraphs', planner: 'fallback' },
  ],
  minArenas: 80,
  minOperations: 8_000,
  minUses: 20,
  patienceMs: 20 * 60_000,
});
