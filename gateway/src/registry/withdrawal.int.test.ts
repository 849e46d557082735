import { describe, expect, it } from '@jest/globals';
import { manualClock, waitFor } from '@rhizome/testkit';
import {
  live,
  liveSystem,
  prefixOf,
  publish,
  register,
  rollback,
  sdlOf,
  withdraw,
} from '../testing/live-registry.js';
import { askAt, endpointOf, type RegistrySystem } from '../testing/registry-system.js';

const nests = '{ jobs { name heron { nest } } }';
const accepted = { subgraph: 'heron', isBreakingAccepted: true };

async function takenOut(system: RegistrySystem, input: object, token?: string) {
  const { data, messages } = await system.ask(withdraw, { input }, token);
  if (!data) throw new Error(messages.join());
  return data.withdrawSubgraph;
}

describe('withdrawSubgraph', () => {
  it('removes the subgraph in every gateway, is recorded in the history, and can be undone', async () => {
    const system = await liveSystem(['heron', 'egret']);
    const second = await system.gateway();
    const admin = await system.tokens.admin();
    const before = await live(system);
    expect((await system.ask(nests)).codes).toEqual([]);
    const token = await system.tokens.service('heron');
    const out = await takenOut(system, { ...accepted, note: 'it has ended' }, token);
    expect(out).toMatchObject({
      version: {
        number: before + 1,
        kind: 'WITHDRAWAL',
        subgraphName: 'heron',
        publishedBy: { subject: 'experiment:heron' },
        note: 'it has ended',
        isBreakingAccepted: true,
      },
      check: { subgraphName: 'heron', hasPassed: true, againstVersion: before, publishedAs: before + 1 },
      isUnregistered: false,
      userErrors: [],
    });
    expect(out.version.subgraphs.map(({ name }: { name: string }) => name)).toEqual([
      'core',
      'egret',
      'gateway',
    ]);
    expect(out.version.changes[0]).toMatchObject({
      severity: 'BREAKING',
      coordinate: expect.stringMatching(/^(HeronJob|Job\.heron)/),
    });
    expect((await system.ask(nests)).codes).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    await waitFor(
      'the other gateway to follow',
      async () => (await askAt(second.url, nests, {}, admin)).codes[0] === 'GRAPHQL_VALIDATION_FAILED',
      { deadlineMs: 5000 },
    );
    expect((await system.ask('{ jobs { name egret { nest } } }')).codes).toEqual([]);
    expect((await system.ask('{ subgraphs { name isLive } }')).data.subgraphs).toContainEqual({
      name: 'heron',
      isLive: false,
    });
    const again = await takenOut(system, accepted, token);
    expect(again).toMatchObject({ version: { number: before + 1 }, check: null, userErrors: [] });
    const back = await system.ask(rollback, { input: { subgraph: 'heron' } }, token);
    expect(back.data.rollbackSchema).toMatchObject({ version: { number: before + 2 }, userErrors: [] });
    expect((await system.ask(nests)).codes).toEqual([]);
  });

  it('refuses while the subgraph is or may be in use', async () => {
    const clock = manualClock('2030-03-01T12:00:00Z');
    const system = await liveSystem(['heron'], { clock });
    const before = await live(system);
    const gateway = await system.gateway();
    await askAt(gateway.url, nests, {}, await system.tokens.admin());
    await gateway.close(0);
    const refused = await takenOut(system, { subgraph: 'heron' });
    expect(refused).toMatchObject({
      version: null,
      check: { hasPassed: false, publishedAs: null },
      userErrors: [{ code: 'CHECK_FAILED', message: expect.stringContaining('isBreakingAccepted') }],
    });
    expect(refused.check.findings).toContainEqual({
      rule: 'BREAKING',
      coordinate: 'Job.heron',
      message: expect.stringContaining('Used 1 times in the last 30 days'),
    });
    expect(await live(system)).toBe(before);
    clock.advance(31 * 86_400_000);
    expect(await takenOut(system, { subgraph: 'heron' })).toMatchObject({
      version: { number: before + 1, isBreakingAccepted: false },
      userErrors: [],
    });
  });

  it('releases name and prefix in every gateway when the subgraph is unregistered', async () => {
    const system = await liveSystem(['heron']);
    const second = await system.gateway();
    const admin = await system.tokens.admin();
    expect(await takenOut(system, { ...accepted, isUnregistered: true })).toMatchObject({
      version: { kind: 'WITHDRAWAL' },
      isUnregistered: true,
      userErrors: [],
    });
    const names = async (url?: string): Promise<string[]> => {
      const text = '{ subgraphs { name } }';
      const { data } = await (url === undefined ? system.ask(text) : askAt(url, text, {}, admin));
      return data.subgraphs.map(({ name }: { name: string }) => name);
    };
    expect(await names()).toEqual(['core']);
    await waitFor(
      'the other gateway to forget it',
      async () => !(await names(second.url)).includes('heron'),
      {
        deadlineMs: 5000,
      },
    );
    for (const [text, input] of [
      [withdraw, accepted],
      [publish, { subgraph: 'heron' }],
      [rollback, { subgraph: 'heron' }],
    ] as const) {
      const { data } = await system.ask(text, { input });
      const [payload] = Object.values(data) as { userErrors: { code: string }[] }[];
      expect(payload?.userErrors.map(({ code }) => code)).toEqual(['SUBGRAPH_NOT_FOUND']);
    }
    const other = { name: 'stork', endpoint: endpointOf('stork'), typePrefix: prefixOf('heron') };
    expect((await system.ask(register, { input: other })).data.registerSubgraph.userErrors).toEqual([]);
  });

  it('removes a subgraph that was never published', async () => {
    const system = await liveSystem([]);
    const before = await live(system);
    const input = { name: 'heron', endpoint: endpointOf('heron'), typePrefix: 'Heron' };
    await system.ask(register, { input });
    expect(await takenOut(system, { subgraph: 'heron', isUnregistered: true })).toMatchObject({
      version: { number: before },
      check: null,
      isUnregistered: true,
      userErrors: [],
    });
  });

  it("refuses the gateway's own subgraph, unknown subgraphs, and notes that are too long", async () => {
    const system = await liveSystem(['heron']);
    for (const [input, code] of [
      [{ subgraph: 'gateway' }, 'SUBGRAPH_NOT_FOUND'],
      [{ subgraph: 'nobody' }, 'SUBGRAPH_NOT_FOUND'],
      [{ ...accepted, note: 'x'.repeat(1001) }, 'INVALID_VALUE'],
    ] as const) {
      expect(await takenOut(system, input)).toMatchObject({ version: null, userErrors: [{ code }] });
    }
  });

  it('publishes one version after the other when another client publishes the same subgraph', async () => {
    const system = await liveSystem(['heron']);
    const before = await live(system);
    system.serve(endpointOf('heron'), sdlOf('heron', '"Eggs." eggs: Int'));
    const second = await system.gateway();
    const admin = await system.tokens.admin();
    const [out, published] = await Promise.all([
      takenOut(system, accepted),
      askAt(second.url, publish, { input: { subgraph: 'heron' } }, admin),
    ]);
    expect([out.userErrors, published.data.publishSchema.userErrors]).toEqual([[], []]);
    const numbers = [out.version.number, published.data.publishSchema.version.number].sort();
    expect(numbers).toEqual([before + 1, before + 2]);
  });
});
