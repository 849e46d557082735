import { describe, expect, test } from '@jest/globals';
import { coreSdl, live, liveSystem, publish, rollback, sdlOf } from '../testing/live-registry.js';
import { endpointOf } from '../testing/registry-system.js';

describe('going back', () => {
  test('is one command, for what is the own alone', async () => {
    const house = await liveSystem(['heron', 'egret']);
    const token = await house.tokens.service('heron');
    house.serve(endpointOf('heron'), sdlOf('heron', '"Eggs." eggs: Int'));
    await house.ask(publish, { input: { subgraph: 'heron' } }, token);
    house.serve(endpointOf('egret'), sdlOf('egret', '"Eggs." eggs: Int'));
    await house.ask(publish, { input: { subgraph: 'egret' } });
    const { data } = await house.ask(
      rollback,
      { input: { subgraph: 'heron', note: 'too many eggs' } },
      token,
    );
    expect(data.rollbackSchema).toEqual({
      version: { number: 7, kind: 'ROLLBACK', subgraph: 'heron', restoredFrom: 4 },
      userErrors: [],
    });
    const answer = await house.ask('{ jobs { heron { eggs } } }');
    expect(answer.codes).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    expect((await house.ask('{ jobs { egret { eggs } } }')).data.jobs[0]).toEqual({ egret: { eggs: 7 } });
  });

  test('is refused where the service no longer has what it promised then, or nothing earlier is there', async () => {
    const house = await liveSystem(['heron']);
    expect(
      (await house.ask(rollback, { input: { subgraph: 'heron' } })).data.rollbackSchema.userErrors,
    ).toMatchObject([{ code: 'VERSION_NOT_FOUND' }]);
    house.serve(
      endpointOf('heron'),
      sdlOf('heron').replace('"A nest." nest: String', '"A tree." tree: String'),
    );
    const accepted = { subgraph: 'heron', isBreakingAccepted: true };
    const { data } = await house.ask(publish, { input: accepted });
    expect(data.publishSchema.version).toMatchObject({ isBreakingAccepted: true });
    const refused = (await house.ask(rollback, { input: { subgraph: 'heron' } })).data.rollbackSchema;
    expect(refused).toMatchObject({
      version: null,
      userErrors: [{ code: 'ENDPOINT_DIFFERS', message: expect.stringContaining('HeronJob.nest') }],
    });
  });

  test('of everything takes up every schema of a version', async () => {
    const house = await liveSystem(['heron']);
    const then = await live(house);
    house.serve(endpointOf('heron'), sdlOf('heron', '"Eggs." eggs: Int'));
    house.serve(endpointOf('core'), coreSdl.replace('"Its size."', '"Weight." weight: Int "Its size."'));
    await house.ask(publish, { input: { subgraph: 'heron' } });
    await house.ask(publish, { input: { subgraph: 'core' } });
    const { data } = await house.ask(rollback, { input: { version: then } });
    expect(data.rollbackSchema).toMatchObject({
      version: { kind: 'ROLLBACK', subgraph: null, restoredFrom: then },
      userErrors: [],
    });
    const codes = [
      (await house.ask('{ jobs { weight } }')).codes,
      (await house.ask('{ jobs { heron { eggs } } }')).codes,
    ];
    expect(codes).toEqual([['GRAPHQL_VALIDATION_FAILED'], ['GRAPHQL_VALIDATION_FAILED']]);
  });
});
