import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { type Engine } from '@rhizome/federation';
import { silentLogger } from '@rhizome/log';
import { fixedTools } from '@rhizome/schema/agent-operations';
import { discoverSubgraphs, experimentName, type FoundSubgraph } from '@rhizome/schema/repository';
import { testPrincipal } from '@rhizome/testkit';
import { buildSchema } from 'graphql';
import type { McpCall } from './call.js';
import { Catalogues } from './catalogue.js';

const root = new URL('../../../', import.meta.url).pathname;
const publicSchema = buildSchema(readFileSync(`${root}schema/public.graphql`, 'utf8'), {
  assumeValidSDL: true,
});
const subgraphs = discoverSubgraphs(root);
const experiments = subgraphs.map(({ name }) => name).filter((name) => isExperiment(name));

function isExperiment(name: string): boolean {
  return (
    experimentName.test(name) && subgraphs.some((one) => one.name === name && one.manifest !== undefined)
  );
}

const offered = subgraphs.map(({ name, manifest, agentOperations }: FoundSubgraph) => ({
  name,
  typePrefix: manifest?.typePrefix ?? null,
  agentOperations,
}));

const catalogues = new Catalogues({
  limitsOf: () => Promise.resolve(undefined),
  engine: () => ({ publicSchema }) as Engine,
  offered: () => ({ version: 1, read: () => Promise.resolve(offered) }),
  limits: { assumedListSize: 10 },
  rates: undefined,
  runsQueries: true,
  log: { ...silentLogger(), warn: (fault: unknown) => faults.push(fault) } as never,
});
const faults: unknown[] = [];

describe('the list of tools of this repository', () => {
  it('includes all operations in agent/', async () => {
    const catalogue = await catalogues.current();
    const names = catalogue.of(undefined).map(({ definition }) => definition.name);
    expect(faults).toEqual([]);
    // The graph has proposals: none of these is left out.
    expect(names).toEqual(
      expect.arrayContaining([...fixedTools, 'propose_cancel_jobs', 'propose_retry_jobs']),
    );
    for (const experiment of experiments)
      expect(names.filter((name) => name.startsWith(`${experiment}_`)).length).toBeGreaterThan(1);
  });

  it.each(experiments)('keeps to 25 tools and 4,000 tokens for a member of %s', async (experiment) => {
    const member = testPrincipal({ subject: 'ada@example', grants: { [experiment]: ['PRODUCTION'] } });
    const tools = (await catalogues.current()).of(member).map(({ definition }) => definition);
    expect(tools.map(({ name }) => name)).toContain('propose_retry_jobs');
    expect(tools.length).toBeLessThanOrEqual(25);
    expect(JSON.stringify(tools).length / 4).toBeLessThanOrEqual(4000);
    const others = experiments.filter((one) => one !== experiment);
    expect(tools.filter(({ name }) => others.some((one) => name.startsWith(`${one}_`)))).toEqual([]);
  });

  it.each(experiments)('searches the fields of %s for its members only', async (experiment) => {
    const found = async (grants: Record<string, ['PRODUCTION']>): Promise<string> => {
      const principal = testPrincipal({ subject: 'ada@example', grants });
      const tool = (await catalogues.current()).find('search_schema', principal);
      const result = await tool?.call({ words: experiment, limit: 20 }, { principal } as McpCall);
      return result?.content[0]?.text ?? '';
    };
    const place = new RegExp(`^(.*\\.)?${experiment}(\\.| \\()`, 'm');
    expect(await found({ [experiment]: ['PRODUCTION'] })).toMatch(place);
    expect(await found({ other: ['PRODUCTION'] })).not.toMatch(place);
  });
});
