import type { TestSubgraphInit } from '../test-subgraph.js';

type Source = Readonly<Record<string, unknown>>;

/** Jobs of core, with a price that an experiment requires with an argument of its own. */
export const priced: readonly TestSubgraphInit[] = [
  {
    name: 'core',
    sdl: `
      type Query { job: Job thing: Thing }
      union Thing = Box
      type Box { job: Job }
      type Job @key(fields: "id") { id: ID! price(in: Int): Int next: Job }
    `,
    resolvers: {
      Query: { job: () => ({ id: '1' }), thing: () => ({ __typename: 'Box', job: { id: '1' } }) },
      Job: { price: (_: unknown, args: Source) => args['in'] ?? 1, next: () => ({ id: '2' }) },
    },
  },
  {
    name: 'experiment',
    sdl: `
      type Job @key(fields: "id") {
        id: ID!
        price(in: Int): Int @external
        cost: Int @requires(fields: "price(in: 3)")
      }
    `,
    resolvers: { Job: { cost: ({ price }: Source) => Number(price) * 100 } },
  },
];

/** Media of one subgraph, which another one knows as an interface object. */
export const media: readonly TestSubgraphInit[] = [
  {
    name: 'owner',
    sdl: `
      interface Media @key(fields: "id") { id: ID! }
      type Film implements Media @key(fields: "id") { id: ID! }
      type Song implements Media @key(fields: "id") { id: ID! }
    `,
    resolvers: {
      Media: { __resolveReference: ({ id }: Source) => ({ __typename: id === 'f' ? 'Film' : 'Song', id }) },
    },
  },
  {
    name: 'stars',
    sdl: `
      type Query { top: [Media!] }
      type Media @key(fields: "id") @interfaceObject { id: ID! stars: Int }
    `,
    resolvers: { Query: { top: () => [{ id: 'f' }, { id: 's' }] }, Media: { stars: () => 5 } },
  },
];

/** One type with two interfaces, both of which another subgraph knows as interface objects. */
export const twoInterfaces: readonly TestSubgraphInit[] = [
  {
    name: 'owner',
    sdl: `
      type Query { film: Film }
      interface Media @key(fields: "id") { id: ID! }
      interface Product @key(fields: "id") { id: ID! }
      type Film implements Media & Product @key(fields: "id") { id: ID! }
    `,
    resolvers: { Query: { film: () => ({ id: 'f' }) } },
  },
  {
    name: 'shop',
    sdl: `
      type Media @key(fields: "id") @interfaceObject { id: ID! stars: Int }
      type Product @key(fields: "id") @interfaceObject { id: ID! price: Int }
    `,
    resolvers: { Media: { stars: () => 5 }, Product: { price: () => 9 } },
  },
];

/** A mutation whose field in another subgraph shows how many mutations there were. */
export function counted(): readonly TestSubgraphInit[] {
  let total = 0;
  return [
    {
      name: 'core',
      sdl: 'type Query { job: Job } type Mutation { submit: Job } type Job @key(fields: "id") { id: ID! }',
      resolvers: { Mutation: { submit: () => ({ id: String(++total) }) } },
    },
    {
      name: 'totals',
      sdl: 'type Job @key(fields: "id") { id: ID! total: Int }',
      resolvers: { Job: { total: () => total } },
    },
  ];
}
