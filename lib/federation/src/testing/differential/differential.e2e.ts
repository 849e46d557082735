import { describeCampaigns } from './campaign-suite.js';

// More than 4,000 random operations over 40 random supergraphs; the soak test runs over 100,000.

describeCampaigns({
  campaigns: [
    { seed: 'a', arenas: 6, operationsPerArena: 130, reach: 'graphql-js', planner: 'process' },
    {
      seed: 'f',
      arenas: 8,
      operationsPerArena: 130,
      reach: 'graphql-js',
      planner: 'process',
      emphasis: 'required',
    },
    { seed: 'b', arenas: 9, operationsPerArena: 130, reach: 'compiled subgraphs', planner: 'process' },
    { seed: 'c', arenas: 10, operationsPerArena: 120, reach: 'interpreted subgraphs', planner: 'fallback' },
    { seed: 'e', arenas: 8, operationsPerArena: 110, reach: 'compiled subgraphs', planner: 'fallback' },
  ],
  minArenas: 40,
  minOperations: 4_000,
  minUses: 10,
  patienceMs: 20 * 60_000,
});
