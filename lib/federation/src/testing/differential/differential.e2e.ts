import { describeCampaigns } from './campaign-suite.js';

// More than 20,000 random operations over more than 200 random supergraphs.

describeCampaigns({
  campaigns: [
    { seed: 'a', arenas: 30, operationsPerArena: 130, reach: 'graphql-js', planner: 'process' },
    {
      seed: 'f',
      arenas: 40,
      operationsPerArena: 130,
      reach: 'graphql-js',
      planner: 'process',
      emphasis: 'required',
    },
    { seed: 'b', arenas: 45, operationsPerArena: 130, reach: 'compiled subgraphs', planner: 'process' },
    { seed: 'c', arenas: 50, operationsPerArena: 120, reach: 'interpreted subgraphs', planner: 'fallback' },
    { seed: 'e', arenas: 40, operationsPerArena: 110, reach: 'compiled subgraphs', planner: 'fallback' },
  ],
  minArenas: 200,
  minOperations: 20_000,
  minUses: 50,
  patienceMs: 20 * 60_000,
});
