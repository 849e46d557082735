import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { bring, coreSdl, live, liveSystem, publish, sdlOf } from '../testing/live-registry.js';
import { askAt, endpointOf, type RegistrySystem, startRegistrySystem } from '../testing/registry-system.js';

describe('an empty registry', () => {
  it("serves the gateway's own fields, and subgraphs that are published", async () => {
    const system = await startRegistrySystem();
    expect((await system.ask('{ subgraphs { name } schemaVersion { number kind } }')).data).toEqual({
      subgraphs: [],
      schemaVersion: { number: 1, kind: 'BASELINE' },
    });
    await bring(system, 'core', coreSdl, null);
    await bring(system, 'heron', sdlOf('heron'), 'Heron');
    const { data } = await system.ask(
      '{ jobs { name heron { nest } } subgraphs { name isLive state schemaVersion publishedBy { subject } } }',
    );
    expect(data.jobs[0]).toEqual({ name: 'name of some', heron: { nest: 'nest of some' } });
    expect(data.subgraphs).toEqual([
      {
        name: 'core',
        isLive: true,
        state: 'UP',
        schemaVersion: 2,
        publishedBy: { subject: 'admin@example' },
      },
      {
        name: 'heron',
        isLive: true,
        state: 'UP',
        schemaVersion: 3,
        publishedBy: { subject: 'admin@example' },
      },
    ]);
  });
});

describe('a rejected publication', () => {
  let system: RegistrySystem;
  let before: number;
  beforeAll(async () => {
    system = await liveSystem(['heron']);
    before = await live(system);
  });

  async function refused(input: object): Promise<{ readonly code: string; readonly message: string }> {
    const { data } = await system.ask(publish, { input });
    expect(data.publishSchema.version).toBeNull();
    expect(await live(system)).toBe(before);
    return data.publishSchema.userErrors[0] as { code: string; message: string };
  }

  it('names the difference to the schema of the endpoint', async () => {
    system.serve(endpointOf('heron'), sdlOf('heron'));
    const sdl = sdlOf('heron', '"Eggs." eggs: Int');
    expect(await refused({ subgraph: 'heron', sdl })).toMatchObject({
      code: 'ENDPOINT_DIFFERS',
      message: expect.stringMatching(/heron\.test.*differs in type HeronJob/),
    });
  });

  it('includes a subgraph whose endpoint does not answer', async () => {
    system.endpoints.delete(endpointOf('heron'));
    expect(await refused({ subgraph: 'heron' })).toMatchObject({ code: 'ENDPOINT_DIFFERS' });
  });

  it('includes subgraphs that do not compose, break a rule, or are not registered', async () => {
    system.serve(endpointOf('heron'), sdlOf('heron').replace('heron: HeronJob', 'heron: HeronJob!'));
    const { data } = await system.ask(publish, { input: { subgraph: 'heron' } });
    expect(data.publishSchema.userErrors).toMatchObject([{ code: 'CHECK_FAILED' }]);
    expect(data.publishSchema.check).toMatchObject({ hasPassed: false, publishedAs: null });
    expect(data.publishSchema.check.findings).toContainEqual({
      rule: 'NULLABLE',
      coordinate: 'Job.heron',
      message: expect.stringContaining('Job.heron must be nullable'),
      remedy: 'Take the `!` off the type.',
    });
    system.serve(endpointOf('heron'), `${sdlOf('heron')} extend type Job { "N." name: String }`);
    expect(await refused({ subgraph: 'heron' })).toMatchObject({ code: 'CHECK_FAILED' });
    expect(await refused({ subgraph: 'ibis' })).toMatchObject({ code: 'SUBGRAPH_NOT_FOUND' });
    expect(await refused({ subgraph: 'heron', sdl: 'type {' })).toMatchObject({ code: 'INVALID_VALUE' });
  });

  it('returns the live version for an unchanged schema', async () => {
    system.serve(endpointOf('heron'), sdlOf('heron'));
    const { data } = await system.ask(publish, { input: { subgraph: 'heron' } });
    expect(data.publishSchema).toMatchObject({ version: { number: before }, check: null, userErrors: [] });
  });
});

describe('concurrent publications', () => {
  it('makes all schemas live, each checked against the one before', async () => {
    const system = await liveSystem(['heron', 'egret', 'ibis']);
    const names = ['heron', 'egret', 'ibis'];
    const before = await live(system);
    for (const name of names) system.serve(endpointOf(name), sdlOf(name, '"Eggs." eggs: Int'));
    const other = await system.gateway();
    const token = await system.tokens.admin();
    const published = await Promise.all(
      names.map((subgraph, index) =>
        index === 1
          ? askAt(other.url, publish, { input: { subgraph } }, token)
          : system.ask(publish, { input: { subgraph } }),
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
          const { data } = url ? await askAt(url, query, {}, token) : await system.ask(query);
          return JSON.stringify(data?.jobs?.[0]) === JSON.stringify(whole);
        },
        { deadlineMs: 2000 },
      );
    }
  });

  it('refuses one of two schemas that exclude each other', async () => {
    const system = await liveSystem(['heron']);
    system.serve(endpointOf('core'), coreSdl.replace('"Its size." size: Int', ''));
    const wanted = sdlOf('heron')
      .replace('id: ID!', 'id: ID! size: Int @external')
      .replace('heron: HeronJob', 'heron: HeronJob @requires(fields: "size")');
    system.serve(endpointOf('heron'), wanted);
    const [core, heron] = await Promise.all([
      system.ask(publish, { input: { subgraph: 'core', isBreakingAccepted: true } }),
      system.ask(publish, { input: { subgraph: 'heron' } }),
    ]);
    const outcomes = [core, heron].map(({ data }) =>
      data.publishSchema.version ? 'live' : data.publishSchema.userErrors[0].code,
    );
    expect(outcomes.sort()).toEqual(['CHECK_FAILED', 'live']);
    const { data } = await system.ask('{ schemaVersions(first: 1) { nodes { supergraphSdl } } }');
    const sdl = data.schemaVersions.nodes[0].supergraphSdl as string;
    expect([sdl.includes('size: Int'), sdl.includes('requires: "size"')]).toEqual(
      outcomes[0] === 'live' || heron.data.publishSchema.version ? [true, true] : [false, false],
    );
  });
});

describe('the history', () => {
  it('is read in pages, the newest first, and any two versions can be compared', async () => {
    const system = await liveSystem(['heron', 'egret']);
    const seen: number[] = [];
    let after: string | null = null;
    do {
      const { data } = await system.ask(
        'query ($after: String) { schemaVersions(first: 2, after: $after) { nodes { number } pageInfo { hasNextPage endCursor } } }',
        { after },
      );
      seen.push(...(data.schemaVersions.nodes as { number: number }[]).map(({ number }) => number));
      after = data.schemaVersions.pageInfo.hasNextPage
        ? (data.schemaVersions.pageInfo.endCursor as string)
        : null;
    } while (after !== null);
    expect(seen).toEqual([4, 3, 2, 1]);
    const { data } = await system.ask(
      '{ schemaDiff(from: 3, to: 4) { severity coordinate } back: schemaDiff(from: 4, to: 3) { severity coordinate } none: schemaDiff(from: 1, to: 99) { coordinate } }',
    );
    expect(data.schemaDiff).toContainEqual({ severity: 'SAFE', coordinate: 'Job.egret' });
    expect(data.back).toContainEqual({ severity: 'BREAKING', coordinate: 'Job.egret' });
    expect(data.none).toBeNull();
    const checks = await system.ask(
      '{ schemaChecks(subgraph: "egret") { totalCount nodes { subgraph { name } subgraphName hasPassed publishedAs checkedBy { subject } } } }',
    );
    expect(checks.data.schemaChecks).toEqual({
      totalCount: 1,
      nodes: [
        {
          subgraph: { name: 'egret' },
          subgraphName: 'egret',
          hasPassed: true,
          publishedAs: 4,
          checkedBy: { subject: 'admin@example' },
        },
      ],
    });
    expect((await system.ask('{ schemaVersions(after: "x") { nodes { number } } }')).codes).toEqual([
      'CURSOR_INVALID',
    ]);
  });
});
