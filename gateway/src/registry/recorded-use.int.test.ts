import { describe, expect, it } from '@jest/globals';
import { manualClock } from '@rhizome/testkit';
import { liveSystem, publish, sdlOf } from '../testing/live-registry.js';
import { endpointOf } from '../testing/registry-system.js';

describe('recorded use', () => {
  const withoutNest = sdlOf('heron').replace('"A nest." nest: String', '"A tree." tree: String');

  it('decides if a removal breaks a client', async () => {
    const clock = manualClock('2030-03-01T12:00:00Z');
    const system = await liveSystem(['heron'], { clock });
    const gateway = await system.gateway();
    const headers = { 'graphql-client-name': 'nest-watcher', 'graphql-client-version': '1.4' };
    const token = await system.tokens.admin();
    const used = await fetch(gateway.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
      body: JSON.stringify({ query: '{ jobs { heron { nest } } }' }),
    });
    expect(used.status).toBe(200);
    await gateway.close(0);
    system.serve(endpointOf('heron'), withoutNest);
    const ask = async () => (await system.ask(publish, { input: { subgraph: 'heron' } })).data.publishSchema;
    const refused = await ask();
    expect(refused.check.findings).toEqual([
      {
        rule: 'BREAKING',
        coordinate: 'HeronJob.nest',
        message: expect.stringContaining(
          'Used 1 times in the last 30 days, the last time on 2030-03-01, by nest-watcher 1.4 (1)',
        ),
        remedy: expect.stringContaining('@deprecated'),
      },
    ]);
    expect(refused.userErrors[0].message).toContain('isBreakingAccepted');
    clock.advance(31 * 86_400_000);
    const allowed = await ask();
    expect(allowed.userErrors).toEqual([]);
    expect(allowed.check.changes[0]).toEqual({
      severity: 'BREAKING',
      coordinate: 'HeronJob.nest',
      use: { requests: 0, isUnused: true },
    });
  });

  it('reports existing schema elements and no others', async () => {
    const system = await liveSystem(['heron']);
    const useOf = async (coordinate: string) =>
      system.ask('query ($coordinate: String!) { schemaUse(coordinate: $coordinate) { requests } }', {
        coordinate,
      });
    expect(await useOf('HeronJob.nest')).toMatchObject({ data: { schemaUse: { requests: 0 } } });
    expect(await useOf('HeronJob.tree')).toMatchObject({
      data: { schemaUse: null },
      codes: ['NOT_FOUND'],
    });
  });

  it('allows no removal before 30 days of recording', async () => {
    const clock = manualClock('2030-03-01T12:00:00Z');
    const system = await liveSystem(['heron'], { clock });
    clock.advance(29 * 86_400_000);
    system.serve(endpointOf('heron'), withoutNest);
    const { data } = await system.ask(publish, { input: { subgraph: 'heron' } });
    expect(data.publishSchema.check.findings[0].message).toContain(
      'No use since 2030-03-01, which is less than 30 days',
    );
  });
});
