import { afterAll, describe, expect, test } from '@jest/globals';
import type { EngineOptions } from '../../engine/index.js';
import { runCampaign } from './campaign.js';
import { FeatureCounts } from './features.js';
import { housed, overHttp, plain, type Reach } from './reach.js';

// 20,000 random operations over more than 200 random supergraphs, beside graphql-js on one schema with the same values.
// Data must be equal byte for byte; errors must be felt at the same places with the same codes. A failure prints its
// seed and the smallest operation that fails.

const counts = new FeatureCounts();
let operations = 0;
let arenas = 0;

const campaigns: readonly [string, string, number, number, Reach, Partial<EngineOptions>][] = [
  ['as it is served, subgraphs on graphql-js', 'a', 100, 110, plain, { planning: 'worker' }],
  ['as it is served, subgraphs compiled to code', 'b', 60, 110, housed('jit'), { planning: 'worker' }],
  [
    'by the reserve planner alone, subgraphs interpreted',
    'c',
    50,
    110,
    housed('interpreted'),
    { planner: 'reserve' },
  ],
  ['over HTTP and WebSocket', 'd', 30, 90, overHttp, { planning: 'worker' }],
];

describe('random operations over random supergraphs answer as one schema would', () => {
  test.each(campaigns)(
    '%s',
    async (_name, seed, size, operationsPerArena, reach, engine) => {
      const result = await runCampaign({ seed, arenas: size, operationsPerArena, reach, engine, counts });
      operations += result.operations;
      arenas += result.arenas;
      expect(result.failures).toEqual([]);
    },
    30 * 60_000,
  );

  test('every feature was met at least fifty times', () => {
    expect(arenas).toBeGreaterThanOrEqual(200);
    expect(operations).toBeGreaterThanOrEqual(20_000);
    expect(counts.missing(50)).toEqual([]);
  });

  afterAll(() => {
    process.stdout.write(`${operations} operations over ${arenas} supergraphs met\n${counts.table()}\n`);
  });
});
