import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import { manualClock, waitFor } from '@rhizome/testkit';
import { askAt, endpointOf, type RegistryHouse, startRegistryHouse } from '../testing/registry-house.js';

jest.setTimeout(120_000);

const coreSdl = `
  "A job." type Job @key(fields: "id") { "Its id." id: ID! "Its name." name: String "Its size." size: Int }
  type Query { "Jobs." jobs: [Job!] }
`;
const sdlOf = (name: string, fields = ''): string => {
  const prefix = prefixOf(name);
  return `
    type Job @key(fields: "id") { id: ID! "What ${name} knows." ${name}: ${prefix}Job }
    "What ${name} knows." type ${prefix}Job { "A nest." nest: String ${fields} }
  `;
};
const prefixOf = (name: string): string => `${name[0]?.toUpperCase()}${name.slice(1)}`;

const register = `mutation ($input: RegisterSubgraphInput!) {
  registerSubgraph(input: $input) { subgraph { name isLive state schemaVersion } userErrors { code path message } }
}`;
const publish = `mutation ($input: PublishSchemaInput!) {
  publishSchema(input: $input) {
    version { number kind subgraph publishedBy note acceptedBreaking changes { severity where } }
    check { passed againstVersion publishedAs findings { rule where message cure trap } changes { severity where use { requests isUnused } } }
    userErrors { code path message }
  }
}`;
const rollback = `mutation ($input: RollbackSchemaInput!) {
  rollbackSchema(input: $input) { version { number kind subgraph restoredFrom } userErrors { code message } }
}`;

/** A house in which core is live, and experiments are registered and live with their first schema. */
async function liveHouse(
  experiments: readonly string[],
  options: Parameters<typeof startRegistryHouse>[0] = {},
) {
  const house = await startRegistryHouse(options);
  await bring(house, 'core', coreSdl, null);
  for (const name of experiments) await bring(house, name, sdlOf(name), prefixOf(name));
  return house;
}

async function bring(
  house: RegistryHouse,
  name: string,
  sdl: string,
  typePrefix: string | null,
): Promise<void> {
  const registered = await house.ask(register, { input: { name, endpoint: endpointOf(name), typePrefix } });
  expect(registered.data?.registerSubgraph.userErrors ?? registered.messages).toEqual([]);
  house.serve(endpointOf(name), sdl);
  const published = await house.ask(publish, { input: { subgraph: name } });
  expect(published.data?.publishSchema.userErrors ?? published.messages).toEqual([]);
}

const live = async (house: RegistryHouse): Promise<number> =>
  (await house.ask('{ schemaVersion { number } }')).data.schemaVersion.number as number;

describe('from nothing', () => {
  test('an empty registry serves what the gateway adds itself, and what is published beside it', async () => {
    const house = await startRegistryHouse();
    expect((await house.ask('{ subgraphs { name } schemaVersion { number kind } }')).data).toEqual({
      subgraphs: [],
      schemaVersion: { number: 1, kind: 'BASELINE' },
    });
    await bring(house, 'core', coreSdl, null);
    await bring(house, 'heron', sdlOf('heron'), 'Heron');
    const { data } = await house.ask(
      '{ jobs { name heron { nest } } subgraphs { name isLive state schemaVersion publishedBy } }',
    );
    expect(data.jobs[0]).toEqual({ name: 'name of some', heron: { nest: 'nest of some' } });
    expect(data.subgraphs).toEqual([
      { name: 'core', isLive: true, state: 'UP', schemaVersion: 2, publishedBy: 'admin@example' },
      { name: 'heron', isLive: true, state: 'UP', schemaVersion: 3, publishedBy: 'admin@example' },
    ]);
  });
});

describe('who may publish what', () => {
  let house: RegistryHouse;
  beforeAll(async () => {
    house = await liveHouse(['heron', 'egret']);
    house.serve(endpointOf('heron'), sdlOf('heron', '"Eggs." eggs: Int'));
    house.serve(endpointOf('core'), `${coreSdl} extend type Job { "Its weight." weight: Int }`);
  });

  test.each<[string, string, (house: RegistryHouse) => Promise<string>]>([
    ["another experiment's service", 'heron', ({ tokens }) => tokens.service('egret')],
    ["an experiment's service for core", 'core', ({ tokens }) => tokens.service('heron')],
    ['an admin of another experiment', 'heron', ({ tokens }) => tokens.human('a@b', { egret: 'ADMIN' })],
    [
      'an admin of one experiment for core',
      'core',
      ({ tokens }) => tokens.human('a@b', { heron: 'ADMIN', core: 'ADMIN' }),
    ],
    [
      'a service with rights everywhere but of another name',
      'heron',
      ({ tokens }) =>
        tokens.mint({
          subject: 'experiment:egret',
          kind: 'SERVICE',
          grants: [{ experiment: '*', roles: ['ADMIN'] }],
        }),
    ],
    ['a reader', 'heron', ({ tokens }) => tokens.reader('heron')],
    ['a producer of the experiment', 'heron', ({ tokens }) => tokens.human('p@b', { heron: 'PRODUCTION' })],
    ['a pilot', 'heron', ({ tokens }) => tokens.pilot('q')],
    ['an agent of an admin', 'heron', ({ tokens }) => tokens.agent('admin@example', 'ADMIN')],
  ])('%s may not publish %s, nor roll it back, nor move it', async (_, subgraph, tokenOf) => {
    const token = await tokenOf(house);
    const before = await live(house);
    const typePrefix = subgraph === 'core' ? null : prefixOf(subgraph);
    for (const [text, input] of [
      [publish, { subgraph }],
      [rollback, { subgraph }],
      [rollback, { version: 1 }],
      [register, { name: subgraph, endpoint: 'http://elsewhere.test/graphql', typePrefix }],
    ] as const) {
      expect(await house.ask(text, { input }, token)).toMatchObject({ codes: ['FORBIDDEN'] });
    }
    expect(await live(house)).toBe(before);
  });

  test('nobody without a token gets in', async () => {
    expect((await house.ask(publish, { input: { subgraph: 'heron' } }, 'nothing')).codes).toEqual([
      'UNAUTHENTICATED',
    ]);
  });

  test('no experiment takes over what is registered for core, by whatever prefix', async () => {
    const token = await house.tokens.human('a@b', { core: 'ADMIN' });
    const input = { name: 'core', endpoint: 'http://evil.test/graphql', typePrefix: 'Core' };
    expect((await house.ask(register, { input }, token)).codes).toEqual(['FORBIDDEN']);
  });

  test("the experiment's own service may, and its name is in the history", async () => {
    const input = { subgraph: 'heron', note: 'eggs are counted' };
    const { data } = await house.ask(publish, { input }, await house.tokens.service('heron'));
    expect(data.publishSchema).toMatchObject({
      version: {
        kind: 'PUBLISH',
        subgraph: 'heron',
        publishedBy: 'experiment:heron',
        note: 'eggs are counted',
        acceptedBreaking: false,
        changes: [{ severity: 'SAFE', where: 'HeronJob.eggs' }],
      },
      userErrors: [],
    });
    expect((await house.ask('{ jobs { heron { eggs } } }')).data.jobs[0]).toEqual({ heron: { eggs: 7 } });
  });

  test('an admin of the experiment may register and move it, and a reader may read the history but not where services are', async () => {
    const admin = await house.tokens.human('a@b', { ibis: 'ADMIN' });
    const input = { name: 'ibis', endpoint: endpointOf('ibis'), typePrefix: 'Ibis' };
    const { data } = await house.ask(register, { input }, admin);
    expect(data.registerSubgraph).toEqual({
      subgraph: { name: 'ibis', isLive: false, state: 'UP', schemaVersion: null },
      userErrors: [],
    });
    const reader = await house.tokens.reader('heron');
    const text =
      '{ subgraphs { name endpoint sdl } schemaVersions(first: 1) { nodes { supergraphSdl subgraphs { endpoint } } } }';
    const seen = JSON.stringify((await house.ask(text, {}, reader)).data);
    expect(seen).toContain('heron');
    expect(seen).not.toContain('.test/');
    expect(seen).not.toContain('type ');
  });

  test.each([
    [{ name: 'gateway', endpoint: endpointOf('x'), typePrefix: 'Gateway' }, 'INVALID_VALUE', 'name'],
    [{ name: 'Big', endpoint: endpointOf('x'), typePrefix: 'Big' }, 'INVALID_VALUE', 'name'],
    [{ name: 'stork', endpoint: 'file:///etc/passwd', typePrefix: 'Stork' }, 'INVALID_VALUE', 'endpoint'],
    [
      { name: 'stork', endpoint: 'http://user:secret@host/', typePrefix: 'Stork' },
      'INVALID_VALUE',
      'endpoint',
    ],
    [{ name: 'stork', endpoint: endpointOf('x'), typePrefix: 'stork' }, 'INVALID_VALUE', 'typePrefix'],
    [
      { name: 'stork', endpoint: endpointOf('x'), typePrefix: 'HeronGrey' },
      'TYPE_PREFIX_TAKEN',
      'typePrefix',
    ],
    [{ name: 'stork', endpoint: endpointOf('x'), typePrefix: 'Her' }, 'TYPE_PREFIX_TAKEN', 'typePrefix'],
  ])('%j is not registered: %s', async (input, code, field) => {
    const { data } = await house.ask(register, { input });
    expect(data.registerSubgraph).toMatchObject({ subgraph: null, userErrors: [{ code, path: [field] }] });
  });
});

describe('what never becomes live', () => {
  let house: RegistryHouse;
  let before: number;
  beforeAll(async () => {
    house = await liveHouse(['heron']);
    before = await live(house);
  });

  async function refused(input: object): Promise<{ readonly code: string; readonly message: string }> {
    const { data } = await house.ask(publish, { input });
    expect(data.publishSchema.version).toBeNull();
    expect(await live(house)).toBe(before);
    return data.publishSchema.userErrors[0] as { code: string; message: string };
  }

  test('a schema that the endpoint does not answer with; the place is named', async () => {
    house.serve(endpointOf('heron'), sdlOf('heron'));
    const sdl = sdlOf('heron', '"Eggs." eggs: Int');
    expect(await refused({ subgraph: 'heron', sdl })).toMatchObject({
      code: 'ENDPOINT_DIFFERS',
      message: expect.stringMatching(/heron\.test.*differs in type HeronJob/),
    });
  });

  test('one whose endpoint does not answer at all', async () => {
    house.endpoints.delete(endpointOf('heron'));
    expect(await refused({ subgraph: 'heron' })).toMatchObject({ code: 'ENDPOINT_DIFFERS' });
  });

  test('one that does not compose, that breaks a rule, or that is not registered', async () => {
    house.serve(endpointOf('heron'), sdlOf('heron').replace('heron: HeronJob', 'heron: HeronJob!'));
    const { data } = await house.ask(publish, { input: { subgraph: 'heron' } });
    expect(data.publishSchema.userErrors).toMatchObject([{ code: 'CHECK_FAILED' }]);
    expect(data.publishSchema.check).toMatchObject({ passed: false, publishedAs: null });
    expect(data.publishSchema.check.findings).toContainEqual({
      rule: 'nullable',
      where: 'Job.heron',
      message: expect.stringContaining('Job.heron must be nullable'),
      cure: 'Take the `!` off the type.',
      trap: null,
    });
    house.serve(endpointOf('heron'), `${sdlOf('heron')} extend type Job { "N." name: String }`);
    expect(await refused({ subgraph: 'heron' })).toMatchObject({ code: 'CHECK_FAILED' });
    expect(await refused({ subgraph: 'ibis' })).toMatchObject({ code: 'SUBGRAPH_NOT_FOUND' });
    expect(await refused({ subgraph: 'heron', sdl: 'type {' })).toMatchObject({ code: 'INVALID_VALUE' });
  });

  test('what is live already is answered as it is, and makes no version', async () => {
    house.serve(endpointOf('heron'), sdlOf('heron'));
    const { data } = await house.ask(publish, { input: { subgraph: 'heron' } });
    expect(data.publishSchema).toMatchObject({ version: { number: before }, check: null, userErrors: [] });
  });
});

describe('two who publish at once', () => {
  test('both become live, the second checked against the first', async () => {
    const house = await liveHouse(['heron', 'egret', 'ibis']);
    const names = ['heron', 'egret', 'ibis'];
    const before = await live(house);
    for (const name of names) house.serve(endpointOf(name), sdlOf(name, '"Eggs." eggs: Int'));
    const other = await house.gateway();
    const token = await house.tokens.admin();
    const published = await Promise.all(
      names.map((subgraph, index) =>
        index === 1
          ? askAt(other.url, publish, { input: { subgraph } }, token)
          : house.ask(publish, { input: { subgraph } }),
      ),
    );
    const results = published.map(({ data }) => data.publishSchema);
    expect(results.flatMap(({ userErrors }) => userErrors as unknown[])).toEqual([]);
    const numbers = results.map(({ version }) => version.number as number);
    expect([...numbers].sort((a, b) => a - b)).toEqual([before + 1, before + 2, before + 3]);
    for (const { check, version } of results) expect(check.againstVersion).toBe(version.number - 1);
    const query = '{ jobs { heron { eggs } egret { eggs } ibis { eggs } } }';
    const whole = { heron: { eggs: 7 }, egret: { eggs: 7 }, ibis: { eggs: 7 } };
    for (const url of [undefined, other.url]) {
      await waitFor(
        'all three in the graph',
        async () => {
          const { data } = url ? await askAt(url, query, {}, token) : await house.ask(query);
          return JSON.stringify(data?.jobs?.[0]) === JSON.stringify(whole);
        },
        { deadlineMs: 2000 },
      );
    }
  });

  test('of two that exclude each other one is refused', async () => {
    const house = await liveHouse(['heron']);
    house.serve(endpointOf('core'), coreSdl.replace('"Its size." size: Int', ''));
    const wanted = sdlOf('heron')
      .replace('id: ID!', 'id: ID! size: Int @external')
      .replace('heron: HeronJob', 'heron: HeronJob @requires(fields: "size")');
    house.serve(endpointOf('heron'), wanted);
    const [core, heron] = await Promise.all([
      house.ask(publish, { input: { subgraph: 'core', acceptBreaking: true } }),
      house.ask(publish, { input: { subgraph: 'heron' } }),
    ]);
    const outcomes = [core, heron].map(({ data }) =>
      data.publishSchema.version ? 'live' : data.publishSchema.userErrors[0].code,
    );
    expect(outcomes.sort()).toEqual(['CHECK_FAILED', 'live']);
    const { data } = await house.ask('{ schemaVersions(first: 1) { nodes { supergraphSdl } } }');
    const sdl = data.schemaVersions.nodes[0].supergraphSdl as string;
    expect([sdl.includes('size: Int'), sdl.includes('requires: "size"')]).toEqual(
      outcomes[0] === 'live' || heron.data.publishSchema.version ? [true, true] : [false, false],
    );
  });
});

describe('going back', () => {
  test('is one command, for what is the own alone', async () => {
    const house = await liveHouse(['heron', 'egret']);
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
    const house = await liveHouse(['heron']);
    expect(
      (await house.ask(rollback, { input: { subgraph: 'heron' } })).data.rollbackSchema.userErrors,
    ).toMatchObject([{ code: 'VERSION_NOT_FOUND' }]);
    house.serve(
      endpointOf('heron'),
      sdlOf('heron').replace('"A nest." nest: String', '"A tree." tree: String'),
    );
    const accepted = { subgraph: 'heron', acceptBreaking: true };
    const { data } = await house.ask(publish, { input: accepted });
    expect(data.publishSchema.version).toMatchObject({ acceptedBreaking: true });
    const refused = (await house.ask(rollback, { input: { subgraph: 'heron' } })).data.rollbackSchema;
    expect(refused).toMatchObject({
      version: null,
      userErrors: [{ code: 'ENDPOINT_DIFFERS', message: expect.stringContaining('HeronJob.nest') }],
    });
  });

  test('of everything takes up every schema of a version', async () => {
    const house = await liveHouse(['heron']);
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

describe('recorded use', () => {
  const withoutNest = sdlOf('heron').replace('"A nest." nest: String', '"A tree." tree: String');

  test('decides whether what is taken away breaks somebody', async () => {
    const clock = manualClock('2030-03-01T12:00:00Z');
    const house = await liveHouse(['heron'], { clock });
    const gateway = await house.gateway();
    const headers = { 'graphql-client-name': 'nest-watcher', 'graphql-client-version': '1.4' };
    const token = await house.tokens.admin();
    const used = await fetch(gateway.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
      body: JSON.stringify({ query: '{ jobs { heron { nest } } }' }),
    });
    expect(used.status).toBe(200);
    await gateway.close(0);
    house.serve(endpointOf('heron'), withoutNest);
    const ask = async () => (await house.ask(publish, { input: { subgraph: 'heron' } })).data.publishSchema;
    const refused = await ask();
    expect(refused.check.findings).toEqual([
      {
        rule: 'breaking',
        where: 'HeronJob.nest',
        message: expect.stringContaining(
          'used 1 times in the last 30 days, the last time on 2030-03-01, by nest-watcher 1.4 (1)',
        ),
        cure: expect.stringContaining('@deprecated'),
        trap: null,
      },
    ]);
    expect(refused.userErrors[0].message).toContain('acceptBreaking');
    clock.advance(31 * 86_400_000);
    const allowed = await ask();
    expect(allowed.userErrors).toEqual([]);
    expect(allowed.check.changes[0]).toEqual({
      severity: 'BREAKING',
      where: 'HeronJob.nest',
      use: { requests: 0, isUnused: true },
    });
  });

  test('that has not lasted for 30 days is no fact', async () => {
    const clock = manualClock('2030-03-01T12:00:00Z');
    const house = await liveHouse(['heron'], { clock });
    clock.advance(29 * 86_400_000);
    house.serve(endpointOf('heron'), withoutNest);
    const { data } = await house.ask(publish, { input: { subgraph: 'heron' } });
    expect(data.publishSchema.check.findings[0].message).toContain(
      'Nobody has used it since 2030-03-01, which is not 30 days yet',
    );
  });
});

describe('the history', () => {
  test('is read in pages, the newest first, and any two versions can be compared', async () => {
    const house = await liveHouse(['heron', 'egret']);
    const seen: number[] = [];
    let after: string | null = null;
    do {
      const { data } = await house.ask(
        'query ($after: String) { schemaVersions(first: 2, after: $after) { nodes { number } pageInfo { hasNextPage endCursor } } }',
        { after },
      );
      seen.push(...(data.schemaVersions.nodes as { number: number }[]).map(({ number }) => number));
      after = data.schemaVersions.pageInfo.hasNextPage
        ? (data.schemaVersions.pageInfo.endCursor as string)
        : null;
    } while (after !== null);
    expect(seen).toEqual([4, 3, 2, 1]);
    const { data } = await house.ask(
      '{ schemaDiff(from: 3, to: 4) { severity where } back: schemaDiff(from: 4, to: 3) { severity where } none: schemaDiff(from: 1, to: 99) { where } }',
    );
    expect(data.schemaDiff).toContainEqual({ severity: 'SAFE', where: 'Job.egret' });
    expect(data.back).toContainEqual({ severity: 'BREAKING', where: 'Job.egret' });
    expect(data.none).toBeNull();
    const checks = await house.ask(
      '{ schemaChecks(subgraph: "egret") { subgraph passed publishedAs checkedBy } }',
    );
    expect(checks.data.schemaChecks).toEqual([
      { subgraph: 'egret', passed: true, publishedAs: 4, checkedBy: 'admin@example' },
    ]);
    expect((await house.ask('{ schemaVersions(after: "x") { nodes { number } } }')).codes).toEqual([
      'CURSOR_INVALID',
    ]);
  });
});
