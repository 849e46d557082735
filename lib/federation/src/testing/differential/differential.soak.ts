import { describeCampaigns } from './campaign-suite.js';

// Many more operations and supergraphs than in `npm test`, with seeds of their own.

describeCampaigns({
  campaigns: [
    { seed: 'soak-a', arenas: 150, operationsPerArena: 130, reach: 'graphql-js', planner: 'process' },
    {
      seed: 'soak-f',
      arenas: 200,
      operationsPerArena: 130,
      reach: 'graphql-js',
      planner: 'process',
      emphasis: 'required',
    },
    { seed: 'soak-b', arenas: 225, operationsPerArena: 130, reach: 'compiled subgraphs', planner: 'process' },
    {
      seed: 'soak-c',
      arenas: 250,
      operationsPerArena: 120,
      reach: 'interpreted subgraphs',
      planner: 'fallback',
    },
    {
      seed: 'soak-e',
      arenas: 200,
      operationsPerArena: 110,
      reach: 'compiled subgraphs',
      planner: 'fallback',
    },
  ],
  minArenas: 1_000,
  minOperations: 100_000,
  minUses: 250,
  patienceMs: 120 * 60_000,
});
