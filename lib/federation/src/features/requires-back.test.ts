import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PlanNote } from '../engine/types.js';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// The pattern of every experiment: its type leads back to core's job, whose field of that experiment requires
// core.

type Source = Readonly<Record<string, unknown>>;
const idOf = ({ id }: Source): string => String(id);

const core = testSubgraph({
  name: 'core',
  sdl: `
    type Query { jobs: [Job!] grid: [[Job!]!] any: [Any] }
    union Any = Job | Task
    type Task @key(fields: "id") { id: ID! jobs: [Job!] }
    type Job @key(fields: "id") { id: ID! size: Int price(in: Int): Int meta: Meta tags: [[Tag!]!] owner: Owner }
    type Meta { a: Int inner: Meta }
    type Tag { k: String v: Int }
    interface Owner { name: String }
    type User implements Owner { name: String mail: String }
    type Group implements Owner { name: String size: Int }
  `,
  resolvers: {
    Query: {
      jobs: () => [{ id: '1' }, { id: '2' }],
      grid: () => [[{ id: '1' }], [{ id: '2' }]],
      any: () => [{ __typename: 'Job', id: '1' }, { __typename: 'Task', id: 't' }, null],
    },
    Task: { jobs: () => [{ id: '4' }] },
    Job: {
      size: (job: Source) => Number(idOf(job)) * 10,
      price: (job: Source, args: Source) => Number(idOf(job)) * Number(args['in'] ?? 1),
      meta: (job: Source) => ({ a: Number(idOf(job)), inner: { a: 7 } }),
      tags: (job: Source) => [[{ k: `k${idOf(job)}`, v: 1 }], []],
      owner: (job: Source) =>
        idOf(job) === '1'
          ? { __typename: 'User', name: 'u', mail: 'm' }
          : { __typename: 'Group', name: 'g', size: 3 },
    },
  },
});

interface Required {
  readonly size: number;
  readonly price: number;
  readonly meta: { readonly a: number; readonly inner: { readonly a: number } };
  readonly tags: unknown;
  readonly owner: {
    readonly __typename: string;
    readonly name: string;
    readonly mail?: string;
    readonly size?: number;
  };
}

const experiment = testSubgraph({
  name: 'experiment',
  sdl: `
    type Job @key(fields: "id") {
      id: ID!
      size: Int @external
      price(in: Int): Int @external
      meta: Meta @external
      tags: [[Tag!]!] @external
      owner: Owner @external
      run: Run
      runs: [[Run!]!]
      extra: Extra
      weight(k: Int = 1): Int @requires(fields: "size")
      cost(n: Int = 1): Int @requires(fields: "price(in: 3)")
      deep: String @requires(fields: "meta { a inner { a } } tags { k v }")
      who: String @requires(fields: "owner { name ... on User { mail } ... on Group { size } }")
    }
    type Meta { a: Int @external inner: Meta @external }
    type Tag { k: String @external v: Int @external }
    interface Owner { name: String }
    type User implements Owner { name: String @external mail: String @external }
    type Group implements Owner { name: String @external size: Int @external }
    type Run @key(fields: "id") { id: ID! job: Job jobs: [Job!]! }
    type Extra { job: Job any: Thing }
    union Thing = Run | Job
  `,
  resolvers: {
    Job: {
      run: (job: Source) => ({ id: `r${idOf(job)}` }),
      runs: (job: Source) => [[{ id: `r${idOf(job)}` }], [{ id: `r${Number(idOf(job)) + 1}` }]],
      extra: (job: Source) => ({ of: idOf(job) }),
      weight: ({ size }: Required, { k }: { k: number }) => size + k,
      cost: ({ price }: Required, { n }: { n: number }) => price * n,
      deep: ({ meta, tags }: Required) => `${meta.a}${meta.inner.a}${JSON.stringify(tags)}`,
      who: ({ owner }: Required) => `${owner.__typename} ${owner.name} ${owner.mail ?? owner.size}`,
    },
    Run: {
      job: (run: Source) => ({ id: idOf(run).slice(1) }),
      jobs: (run: Source) => [{ id: idOf(run).slice(1) }, { id: '9' }],
    },
    Extra: {
      job: ({ of }: Source) => ({ id: of }),
      any: ({ of }: Source) => (of === '1' ? { __typename: 'Run', id: 'r1' } : { __typename: 'Job', id: of }),
    },
  },
});

const other = testSubgraph({
  name: 'other',
  sdl: `
    type Job @key(fields: "id") {
      id: ID!
      weight(k: Int = 1): Int @external
      cost(n: Int = 1): Int @external
      sum: Int @requires(fields: "weight(k: 2) cost(n: 4)")
      half: Half
    }
    type Half { job: Job }
  `,
  resolvers: {
    Job: {
      sum: ({ weight, cost }: Source) => Number(weight) + Number(cost),
      half: (job: Source) => ({ job: { id: idOf(job) } }),
    },
  },
});

const deep = (id: number): string => `${id}7[[{"k":"k${id}","v":1}],[]]`;
const both = (first: unknown, second: unknown): unknown => ({ jobs: [first, second] });

describe.each(['native', 'fallback'] as const)(
  '@requires back into its subgraph, by the %s planner',
  (planner) => {
    let gateway: TestEngine;
    beforeAll(async () => {
      // In a separate process: the native planner aborts on the last of these.
      gateway = await createTestEngine([core, experiment, other], { planner, planning: 'worker' });
    });
    afterAll(() => gateway.close());

    it.each<[string, string, unknown]>([
      [
        'after one hop',
        '{ jobs { run { job { weight } } } }',
        both({ run: { job: { weight: 11 } } }, { run: { job: { weight: 21 } } }),
      ],
      [
        'in lists of lists of lists, with an argument',
        '{ grid { runs { jobs { weight(k: 5) } } } }',
        {
          grid: [1, 2].map((id) => [
            {
              runs: [id, id + 1].map((run) => [{ jobs: [{ weight: run * 10 + 5 }, { weight: 95 }] }]),
            },
          ]),
        },
      ],
      [
        'three levels down, there and back',
        '{ jobs { extra { job { run { job { extra { job { cost(n: 2) } } } } } } } }',
        both(
          ...([6, 12].map((cost) => ({ extra: { job: { run: { job: { extra: { job: { cost } } } } } } })) as [
            unknown,
            unknown,
          ]),
        ),
      ],
      [
        'by a union that leads back on two ways',
        '{ jobs { extra { any { ... on Run { job { weight } } ... on Job { weight cost } } } } }',
        both({ extra: { any: { job: { weight: 11 } } } }, { extra: { any: { weight: 21, cost: 6 } } }),
      ],
      [
        'objects, lists of lists of objects and an interface',
        '{ jobs { extra { job { deep who } } } }',
        both(
          { extra: { job: { deep: deep(1), who: 'User u m' } } },
          { extra: { job: { deep: deep(2), who: 'Group g 3' } } },
        ),
      ],
      [
        'the same from core, where the types of an interface are selected, too',
        '{ jobs { deep who } }',
        both({ deep: deep(1), who: 'User u m' }, { deep: deep(2), who: 'Group g 3' }),
      ],
      [
        'two levels: what is required requires itself',
        '{ jobs { sum half { job { sum weight(k: 2) weight2: weight } } } }',
        both(
          { sum: 24, half: { job: { sum: 24, weight: 12, weight2: 11 } } },
          { sum: 46, half: { job: { sum: 46, weight: 22, weight2: 21 } } },
        ),
      ],
      [
        'two levels by members of a union',
        '{ any { ... on Job { extra { job { sum } } } ... on Task { jobs { run { job { sum owner { name } } } } } } }',
        {
          any: [
            { extra: { job: { sum: 24 } } },
            { jobs: [{ run: { job: { sum: 90, owner: { name: 'g' } } } }] },
            null,
          ],
        },
      ],
      [
        "a required field next to the client's own, with other arguments, here and there",
        '{ jobs { run { job { price(in: 9) cost } } price(in: 8) cost } }',
        both(
          { run: { job: { price: 9, cost: 3 } }, price: 8, cost: 3 },
          { run: { job: { price: 18, cost: 6 } }, price: 16, cost: 6 },
        ),
      ],
      [
        'parts of a required object whose names the client gives to others',
        '{ jobs { meta { a: inner { x: a } } tags { k: v v: k } deep } }',
        both(
          { meta: { a: { x: 7 } }, tags: [[{ k: 1, v: 'k1' }], []], deep: deep(1) },
          { meta: { a: { x: 7 } }, tags: [[{ k: 1, v: 'k2' }], []], deep: deep(2) },
        ),
      ],
      [
        'names given to others by members of an interface',
        '{ jobs { owner { n: name ... on User { name: mail } ... on Group { name } } who } }',
        both(
          { owner: { n: 'u', name: 'm' }, who: 'User u m' },
          { owner: { n: 'g', name: 'g' }, who: 'Group g 3' },
        ),
      ],
    ])('resolves %s', async (_name, query, data) => {
      expect(await gateway.run(query)).toEqual({ data });
    });

    it.each([true, false])('applies conditions that are %p', async (b) => {
      const query =
        'query ($k: Int, $b: Boolean!) { jobs { run { job { weight(k: $k) @include(if: $b) size: weight @skip(if: $b) id } } } }';
      const job = (id: number): unknown => ({
        run: { job: b ? { weight: id * 10 + 4, id: `${id}` } : { size: id * 10 + 1, id: `${id}` } },
      });
      expect(await gateway.run(query, { k: 4, b })).toEqual({ data: both(job(1), job(2)) });
    });
  },
);

describe('unnecessary fetches of the native planner', () => {
  const users = testSubgraph({
    name: 'users',
    sdl: 'type Query { users: [User!] } type User @key(fields: "id") { id: ID! }',
    resolvers: { Query: { users: () => [{ id: 'u' }, { id: 'v' }] } },
  });
  const orders = testSubgraph({
    name: 'orders',
    sdl: `
      type User @key(fields: "id") { id: ID! orders: [Order!]! best: Order }
      type Order @key(fields: "id") { id: ID! sku: String! weight: Int }
    `,
    resolvers: {
      User: {
        orders: (user: Source) => [{ id: `${idOf(user)}1` }, { id: `${idOf(user)}2` }],
        best: () => ({ id: 'b' }),
      },
      Order: { sku: (order: Source) => `sku ${idOf(order)}`, weight: () => 5 },
    },
  });
  const prices = testSubgraph({
    name: 'prices',
    sdl: `
      type Order @key(fields: "id") { id: ID! sku: String! @external weight: Int @external price: String @requires(fields: "sku") postage: Int @requires(fields: "weight") }
    `,
    resolvers: {
      Order: {
        price: ({ sku }: Source) => `price of ${String(sku)}`,
        postage: ({ weight }: Source) => Number(weight) * 2,
      },
    },
  });

  it.each<[string, string, number]>([
    ['alone', '{ users { orders { price } } }', 3],
    ['selected by the client, too', '{ users { orders { sku price } } }', 3],
    ['of two fields at two places', '{ users { orders { price postage } best { price } } }', 6],
  ])('fetches required fields together with the entity: %s', async (_name, query, most) => {
    const notes: PlanNote[] = [];
    const gateway = await createTestEngine([users, orders, prices], { onPlan: (note) => notes.push(note) });
    for (const { calls } of [users, orders, prices]) calls.length = 0;
    const answer = await gateway.run(query);
    await gateway.close();
    expect(answer.errors).toBeUndefined();
    expect(JSON.stringify(answer.data)).toContain('price of sku u1');
    expect(orders.calls).toHaveLength(1);
    expect(users.calls.length + orders.calls.length + prices.calls.length).toBeLessThanOrEqual(most);
    expect(notes.map(({ fault }) => fault)).toEqual([expect.stringContaining('goes back to a subgraph')]);
  });
});
