import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  coreSdl,
  live,
  liveSystem,
  prefixOf,
  publish,
  register,
  rollback,
  sdlOf,
  withdraw,
} from '../testing/live-registry.js';
import { endpointOf, type RegistrySystem } from '../testing/registry-system.js';

describe('permissions to publish', () => {
  let system: RegistrySystem;
  beforeAll(async () => {
    system = await liveSystem(['heron', 'egret']);
    system.serve(endpointOf('heron'), sdlOf('heron', '"Eggs." eggs: Int'));
    system.serve(endpointOf('core'), `${coreSdl} extend type Job { "Its weight." weight: Int }`);
  });

  it.each<[string, string, (system: RegistrySystem) => Promise<string>]>([
    ["another experiment's service", 'heron', ({ tokens }) => tokens.service('egret')],
    ["an experiment's service for core", 'core', ({ tokens }) => tokens.service('heron')],
    ['an admin of another experiment', 'heron', ({ tokens }) => tokens.human('a@b', { egret: 'ADMIN' })],
    [
      'an admin of one experiment for core',
      'core',
      ({ tokens }) => tokens.human('a@b', { heron: 'ADMIN', core: 'ADMIN' }),
    ],
    [
      'a service with permissions everywhere but another name',
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
  ])('refuses %s a publication, rollback, move or withdrawal of %s', async (_, subgraph, tokenOf) => {
    const token = await tokenOf(system);
    const before = await live(system);
    const typePrefix = subgraph === 'core' ? null : prefixOf(subgraph);
    for (const [text, input] of [
      [publish, { subgraph }],
      [rollback, { subgraph }],
      [rollback, { version: 1 }],
      [register, { name: subgraph, endpoint: 'http://elsewhere.test/graphql', typePrefix }],
      [withdraw, { subgraph, isBreakingAccepted: true }],
    ] as const) {
      expect(await system.ask(text, { input }, token)).toMatchObject({ codes: ['FORBIDDEN'] });
    }
    expect(await live(system)).toBe(before);
  });

  it('refuses callers without a valid token', async () => {
    expect((await system.ask(publish, { input: { subgraph: 'heron' } }, 'nothing')).codes).toEqual([
      'UNAUTHENTICATED',
    ]);
  });

  it('never lets an experiment take over a subgraph of core, whatever the prefix', async () => {
    const token = await system.tokens.human('a@b', { core: 'ADMIN' });
    const input = { name: 'core', endpoint: 'http://evil.test/graphql', typePrefix: 'Core' };
    expect((await system.ask(register, { input }, token)).codes).toEqual(['FORBIDDEN']);
  });

  it("allows the experiment's own service, and records its name in the history", async () => {
    const input = { subgraph: 'heron', note: 'eggs are counted' };
    const { data } = await system.ask(publish, { input }, await system.tokens.service('heron'));
    expect(data.publishSchema).toMatchObject({
      version: {
        kind: 'PUBLISH',
        subgraphName: 'heron',
        publishedBy: { subject: 'experiment:heron' },
        note: 'eggs are counted',
        isBreakingAccepted: false,
        changes: [{ severity: 'SAFE', coordinate: 'HeronJob.eggs' }],
      },
      userErrors: [],
    });
    expect((await system.ask('{ jobs { heron { eggs } } }')).data.jobs[0]).toEqual({ heron: { eggs: 7 } });
  });

  it('allows an admin of the experiment to register and move it, and hides endpoints from readers', async () => {
    const admin = await system.tokens.human('a@b', { ibis: 'ADMIN' });
    const input = { name: 'ibis', endpoint: endpointOf('ibis'), typePrefix: 'Ibis' };
    const { data } = await system.ask(register, { input }, admin);
    expect(data.registerSubgraph).toEqual({
      subgraph: { name: 'ibis', isLive: false, state: 'UP', schemaVersion: null },
      userErrors: [],
    });
    const reader = await system.tokens.reader('heron');
    const text =
      '{ subgraphs { name endpoint sdl } schemaVersions(first: 1) { nodes { supergraphSdl subgraphs { endpoint } } } }';
    const seen = JSON.stringify((await system.ask(text, {}, reader)).data);
    expect(seen).toContain('heron');
    expect(seen).not.toContain('.test/');
    expect(seen).not.toContain('type ');
  });

  it.each([
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
  ])('refuses to register %j: %s', async (input, code, field) => {
    const { data } = await system.ask(register, { input });
    expect(data.registerSubgraph).toMatchObject({ subgraph: null, userErrors: [{ code, path: [field] }] });
  });
});
