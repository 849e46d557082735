import { describe, expect, it } from '@jest/globals';
import { coreSdl, live, liveSystem, publish, rollback, sdlOf } from '../testing/live-registry.js';
import { endpointOf } from '../testing/registry-system.js';

describe('rollbackSchema', () => {
  it("restores the schema of one's own subgraph in one call", async () => {
    const system = await liveSystem(['heron', 'egret']);
    const token = await system.tokens.service('heron');
    system.serve(endpointOf('heron'), sdlOf('heron', '"Eggs." eggs: Int'));
    await system.ask(publish, { input: { subgraph: 'heron' } }, token);
    system.serve(endpointOf('egret'), sdlOf('egret', '"Eggs." eggs: Int'));
    await system.ask(publish, { input: { subgraph: 'egret' } });
    const { data } = await system.ask(
      rollback,
      { input: { subgraph: 'heron', note: 'too many eggs' } },
      token,
    );
    expect(data.rollbackSchema).toEqual({
      version: { number: 7, kind: 'ROLLBACK', subgraphName: 'heron', restoredFrom: 4 },
      userErrors: [],
    });
    const answer = await system.ask('{ jobs { heron { eggs } } }');
    expect(answer.codes).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    expect((await system.ask('{ jobs { egret { eggs } } }')).data.jobs[0]).toEqual({ egret: { eggs: 7 } });
  });

  it('refuses if the service no longer provides the old schema, or there is none', async () => {
    const system = await liveSystem(['heron']);
    expect(
      (await system.ask(rollback, { input: { subgraph: 'heron' } })).data.rollbackSchema.userErrors,
    ).toMatchObject([{ code: 'VERSION_NOT_FOUND' }]);
    system.serve(
      endpointOf('heron'),
      sdlOf('heron').replace('"A nest." nest: String', '"A tree." tree: String'),
    );
    const accepted = { subgraph: 'heron', isBreakingAccepted: true };
    const { data } = await system.ask(publish, { input: accepted });
    expect(data.publishSchema.version).toMatchObject({ isBreakingAccepted: true });
    const refused = (await system.ask(rollback, { input: { subgraph: 'heron' } })).data.rollbackSchema;
    expect(refused).toMatchObject({
      version: null,
      userErrors: [{ code: 'ENDPOINT_DIFFERS', message: expect.stringContaining('HeronJob.nest') }],
    });
  });

  it('restores every schema of a version', async () => {
    const system = await liveSystem(['heron']);
    const then = await live(system);
    system.serve(endpointOf('heron'), sdlOf('heron', '"Eggs." eggs: Int'));
    system.serve(endpointOf('core'), coreSdl.replace('"Its size."', '"Weight." weight: Int "Its size."'));
    await system.ask(publish, { input: { subgraph: 'heron' } });
    await system.ask(publish, { input: { subgraph: 'core' } });
    const { data } = await system.ask(rollback, { input: { version: then } });
    expect(data.rollbackSchema).toMatchObject({
      version: { kind: 'ROLLBACK', subgraphName: null, restoredFrom: then },
      userErrors: [],
    });
    const codes = [
      (await system.ask('{ jobs { weight } }')).codes,
      (await system.ask('{ jobs { heron { eggs } } }')).codes,
    ];
    expect(codes).toEqual([['GRAPHQL_VALIDATION_FAILED'], ['GRAPHQL_VALIDATION_FAILED']]);
  });
});
