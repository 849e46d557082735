import { describe, expect, it } from '@jest/globals';
import { createPrincipal } from '@rhizome/authz';
import { composeSubgraphs, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

type Source = Readonly<Record<string, unknown>>;

describe.each(['native', 'fallback'] as const)('overrides by label, by the %s planner', (planner) => {
  const a = testSubgraph({
    name: 'a',
    sdl: 'type Query { thing: Thing } type Thing @key(fields: "id") { id: ID! f: String }',
    resolvers: { Query: { thing: () => ({ id: 1 }) }, Thing: { f: () => 'a' } },
  });
  const b = testSubgraph({
    name: 'b',
    sdl: 'type Thing @key(fields: "id") { id: ID! f: String @override(from: "a", label: "new-f") }',
    resolvers: { Thing: { f: () => 'b' } },
  });

  it.each([
    [new Set<string>(), 'a'],
    [new Set(['new-f', 'unknown']), 'b'],
  ])('selects the subgraph for the labels %p', async (overrideLabels, expected) => {
    const gateway = await createTestEngine([a, b], { planner, overrideLabels });
    expect(await gateway.text('{ thing { f } }')).toBe(`{"data":{"thing":{"f":"${expected}"}}}`);
    await gateway.close();
  });
});

describe.each(['native', 'fallback'] as const)('overrides by percentage, by the %s planner', (planner) => {
  const subjects = Array.from({ length: 60 }, (_, index) => `user-${index}`);

  it.each([
    [0, 0, 0],
    [0.5, 0, 4],
    [1, 0, 6],
    [33.333, 8, 34],
    [50, 15, 45],
    [99, 54, 60],
    [99.5, 56, 60],
    [100, 60, 60],
  ])(
    'sends with percent(%d) between %i and %i of 60 callers to the new subgraph',
    async (percent, low, high) => {
      const from = testSubgraph({
        name: 'old',
        sdl: 'type Query { thing: Thing } type Thing @key(fields: "id") { id: ID! f: String }',
        resolvers: { Query: { thing: () => ({ id: 1 }) }, Thing: { f: () => 'old' } },
      });
      const to = testSubgraph({
        name: 'new',
        sdl: `type Thing @key(fields: "id") { id: ID! f: String @override(from: "old", label: "percent(${percent})") }`,
        resolvers: { Thing: { f: () => 'new' } },
      });
      const gateway = await createTestEngine([from, to], { planner });
      let count = 0;
      for (const subject of subjects) {
        const principal = createPrincipal({ kind: 'HUMAN', subject, grants: [], expiresAt: new Date(1e15) });
        const { data } = await gateway.run('{ thing { f } }', {}, { principal });
        if ((data?.['thing'] as Source)['f'] === 'new') count += 1;
      }
      await gateway.close();
      expect(count).toBeGreaterThanOrEqual(low);
      expect(count).toBeLessThanOrEqual(high);
    },
  );
});

describe.each(['native', 'fallback'] as const)('several labels at once, by the %s planner', (planner) => {
  const labels = {
    a: 'percent(20)',
    b: 'percent(60.5)',
    c: 'percent(100)',
    d: 'percent(0)',
    e: 'on',
    f: 'off',
  };
  const fields = Object.keys(labels);
  const from = testSubgraph({
    name: 'old',
    sdl: `type Query { thing: Thing } type Thing @key(fields: "id") { id: ID! ${fields.map((name) => `${name}: String`).join(' ')} }`,
    resolvers: {
      Query: { thing: () => ({ id: 1 }) },
      Thing: Object.fromEntries(fields.map((name) => [name, () => 'old'])),
    },
  });
  const to = testSubgraph({
    name: 'new',
    sdl: `type Thing @key(fields: "id") { id: ID! ${Object.entries(labels)
      .map(([name, label]) => `${name}: String @override(from: "old", label: "${label}")`)
      .join(' ')} }`,
    resolvers: { Thing: Object.fromEntries(fields.map((name) => [name, () => 'new'])) },
  });

  it('decides for each label, and a caller in a smaller percentage is in each larger one', async () => {
    const gateway = await createTestEngine([from, to], { planner, overrideLabels: new Set(['on']) });
    const seen = new Map<string, number>();
    for (let index = 0; index < 80; index++) {
      const principal = createPrincipal({
        kind: 'HUMAN',
        subject: `user-${index}`,
        grants: [],
        expiresAt: new Date(1e15),
      });
      const { data } = await gateway.run('{ thing { a b c d e f } }', {}, { principal });
      const side = Object.values(data?.['thing'] as Source).join();
      seen.set(side, (seen.get(side) ?? 0) + 1);
    }
    await gateway.close();
    expect([...seen.keys()].sort()).toEqual([
      'new,new,new,old,new,old',
      'old,new,new,old,new,old',
      'old,old,new,old,new,old',
    ]);
  });
});

describe.each(['native', 'fallback'] as const)(
  'overrides with keys and @requires, by the %s planner',
  (planner) => {
    const old = testSubgraph({
      name: 'old',
      sdl: `
      type Query { things: [Thing!] }
      type Thing @key(fields: "id") @key(fields: "code") { id: ID! code: String! base: Int cost: Int size: Int label: String }
    `,
      resolvers: {
        Query: { things: () => [{ id: '1' }, { id: '2' }] },
        Thing: {
          code: ({ id }: Source) => `old-${String(id)}`,
          base: ({ id }: Source) => Number(id),
          cost: ({ id }: Source) => 100 + Number(id),
          size: ({ id }: Source) => 1000 + Number(id),
          label: () => 'old',
        },
      },
    });
    const taker = testSubgraph({
      name: 'taker',
      sdl: `
      type Thing @key(fields: "id") {
        id: ID!
        base: Int @external
        code: String! @override(from: "old")
        cost: Int @override(from: "old") @requires(fields: "base")
        size: Int @override(from: "old")
        label: String @override(from: "old")
      }
    `,
      resolvers: {
        Thing: {
          code: ({ id }: Source) => `new-${String(id)}`,
          cost: ({ base }: Source) => 200 + Number(base),
          size: () => 2000,
          label: () => 'new',
        },
      },
    });
    const user = testSubgraph({
      name: 'user',
      sdl: `
      type Thing @key(fields: "id") {
        id: ID! cost: Int @external size: Int @external label: String @external
        sum: String @requires(fields: "cost size label")
      }
    `,
      resolvers: {
        Thing: { sum: ({ cost, size, label }: Source) => `${String(cost)}+${String(size)}+${String(label)}` },
      },
    });
    const byCode = testSubgraph({
      name: 'coded',
      sdl: 'type Thing @key(fields: "code") { code: String! @shareable more: String }',
      resolvers: { Thing: { more: ({ code }: Source) => `more of ${String(code)}` } },
    });
    const subgraphs = [old, taker, user, byCode];
    /** As another composition library writes it: ours does not allow @requires on a field under a label. */
    const supergraphSdl = (['cost', 'size', 'code'] as const).reduce(underLabel, composeSubgraphs(subgraphs));

    it.each<[string[], number, number]>([
      [[], 100, 1001],
      [['cost-moves'], 200, 1001],
      [['size-moves', 'unknown'], 100, 2000],
      [['size-moves', 'cost-moves'], 200, 2000],
    ])(
      'resolves required fields equally in the field and in its override with %j',
      async (on, base, size) => {
        const gateway = await createTestEngine(subgraphs, {
          planner,
          supergraphSdl,
          overrideLabels: new Set(on),
        });
        const { data, errors } = await gateway.run('{ things { sum cost size label } }');
        await gateway.close();
        expect(errors).toBeUndefined();
        const row = (id: number): unknown => {
          const taken = size === 2000 ? size : size - 1 + id;
          return { sum: `${base + id}+${taken}+new`, cost: base + id, size: taken, label: 'new' };
        };
        expect(data).toEqual({ things: [row(1), row(2)] });
      },
    );

    it.each<[string[], string]>([
      [[], 'old'],
      [['code-moves'], 'new'],
    ])('resolves a key from its current owner with %j', async (on, owner) => {
      const gateway = await createTestEngine(subgraphs, {
        planner,
        supergraphSdl,
        overrideLabels: new Set(on),
      });
      const { data, errors } = await gateway.run('{ things { code more } }');
      await gateway.close();
      expect(errors).toBeUndefined();
      expect(data).toEqual({
        things: ['1', '2'].map((id) => ({ code: `${owner}-${id}`, more: `more of ${owner}-${id}` })),
      });
    });
  },
);

/** Adds a label to the override of a field. */
function underLabel(supergraphSdl: string, field: string): string {
  const label = `overrideLabel: "${field}-moves"`;
  const before = new RegExp(`^  ${field}: .*override: "old".*$`, 'm');
  expect(supergraphSdl).toMatch(before);
  return supergraphSdl.replace(before, (line) => {
    const taken = line.replace('override: "old"', `override: "old", ${label}`);
    return taken.includes('usedOverridden: true')
      ? taken.replace('usedOverridden: true', `usedOverridden: true, ${label}`)
      : `${taken} @join__field(graph: OLD, ${label})`;
  });
}
