import type { GuardName } from '../../planning/guards.js';
import type { TestSubgraphInit } from '../test-subgraph.js';
import { counted, media, priced, twoInterfaces } from './subgraphs.js';

/** The smallest supergraph and operation that show a fault of the native planner. */
export interface Reproduction {
  readonly subgraphs: readonly TestSubgraphInit[];
  readonly operation: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  /** The right data. */
  readonly data: unknown;
  /** Number of calls of subgraphs that the answer takes, if the fault is an additional one. */
  readonly calls?: number;
}

type Source = Readonly<Record<string, unknown>>;

const entity = (fields: string): string => `type Job @key(fields: "id") { id: ID! ${fields} }`;
const argumentOrOne = (_: unknown, args: Source): unknown => args['in'] ?? 1;

/** Reproductions by guard. A guard is needed while one of them shows its fault. */
export const reproductions: Readonly<Record<GuardName, readonly Reproduction[]>> = {
  'interface-object-externals': [
    {
      subgraphs: [
        {
          name: 'owner',
          sdl: `
            type Query { one: Media }
            interface Media @key(fields: "id") { id: ID! title: String }
            type Film implements Media @key(fields: "id") { id: ID! title: String }
          `,
          resolvers: { Query: { one: () => ({ __typename: 'Film', id: 'f', title: 'Dune' }) } },
        },
        {
          name: 'labels',
          sdl: `
            type Media @key(fields: "id") @interfaceObject {
              id: ID!
              title: String @external
              label: String @requires(fields: "title")
            }
          `,
          resolvers: { Media: { label: ({ title }: Source) => `See ${String(title)}` } },
        },
      ],
      operation: '{ one { label } }',
      data: { one: { label: 'See Dune' } },
    },
  ],
  conditions: [
    {
      subgraphs: [
        {
          name: 'core',
          sdl: 'type Query { thing: Thing } union Thing = Box type Box { size: Int }',
          resolvers: { Query: { thing: () => ({ __typename: 'Box', size: 1 }) } },
        },
      ],
      operation: 'query ($x: Boolean!) { thing { ... on Thing @include(if: $x) { ... on Box { size } } } }',
      variables: { x: true },
      data: { thing: { size: 1 } },
    },
    {
      subgraphs: [{ name: 'core', sdl: 'type Query { size: Int }', resolvers: { Query: { size: () => 1 } } }],
      operation: '{ size @skip(if: true) }',
      data: {},
    },
  ],
  'unreachable-fragments': [
    {
      subgraphs: [
        {
          name: 'core',
          sdl: 'type Query { thing: Thing } union Thing = Box | Can type Box { size: Int } type Can { litres: Int }',
          resolvers: { Query: { thing: () => ({ __typename: 'Box' }) } },
        },
      ],
      operation: '{ thing { ... on Box { ... on Thing { ... on Can { litres } } } } }',
      data: { thing: {} },
    },
  ],
  'aliased-typename': [
    {
      subgraphs: media,
      operation: '{ top { t: __typename } }',
      data: { top: [{ t: 'Film' }, { t: 'Song' }] },
    },
  ],
  'reserved-variables': [
    {
      subgraphs: [
        {
          name: 'core',
          sdl: `type Query { job: Job } ${entity('')}`,
          resolvers: { Query: { job: () => ({ id: '1' }) } },
        },
        {
          name: 'experiment',
          sdl: entity('weight(in: Int): Int'),
          resolvers: { Job: { weight: argumentOrOne } },
        },
      ],
      operation: 'query ($representations: Int) { job { weight(in: $representations) } }',
      variables: { representations: 2 },
      data: { job: { weight: 2 } },
    },
  ],
  'planner-crash': [
    {
      subgraphs: [
        {
          name: 'core',
          sdl: 'type Query { run: Run } type Run @key(fields: "id") { id: ID! }',
          resolvers: { Query: { run: () => ({ id: '1' }) } },
        },
        {
          name: 'owner',
          sdl: 'type Run @key(fields: "id") @key(fields: "code") { id: ID! code: ID! size: Int }',
          resolvers: { Run: { code: () => 'c', size: () => 3 } },
        },
        {
          name: 'experiment',
          sdl: `
            type Run @key(fields: "id") @key(fields: "code") {
              id: ID!
              code: ID!
              size: Int @external
              weight: Int @requires(fields: "size")
            }
          `,
          resolvers: { Run: { weight: ({ size }: Source) => Number(size) * 2 } },
        },
      ],
      operation: '{ run { weight } }',
      data: { run: { weight: 6 } },
    },
  ],
  'planner-errors': [
    {
      // A required field behind a type that leads back to its entity: every experiment has this.
      subgraphs: [
        {
          name: 'core',
          sdl: `type Query { job: Job } ${entity('size: Int')}`,
          resolvers: { Query: { job: () => ({ id: '1' }) }, Job: { size: () => 4 } },
        },
        {
          name: 'experiment',
          sdl: `${entity('size: Int @external run: Run weight: Int @requires(fields: "size")')} type Run { job: Job }`,
          resolvers: {
            Job: {
              run: ({ id }: Source) => ({ job: { id } }),
              weight: ({ size }: Source) => Number(size) * 2,
            },
          },
        },
      ],
      operation: '{ job { run { job { weight } } } }',
      data: { job: { run: { job: { weight: 8 } } } },
    },
    {
      // A required field inside another one, which two subgraphs require.
      subgraphs: [
        {
          name: 'runs',
          sdl: `
            type Query { job: Job }
            ${entity('size: Int @external cores: Int @external run: Run @requires(fields: "size cores")')}
            type Run @key(fields: "id") { id: ID! energy: Int @external cost: Int @requires(fields: "energy") }
          `,
          resolvers: {
            Query: { job: () => ({ id: '1' }) },
            Job: { run: ({ size, cores }: Source) => ({ id: `${String(size)}-${String(cores)}` }) },
            Run: { cost: ({ energy }: Source) => Number(energy) * 2 },
          },
        },
        {
          name: 'sizes',
          sdl: `${entity('size: Int')} type Run @key(fields: "id") { id: ID! energy: Int }`,
          resolvers: { Job: { size: () => 3 }, Run: { energy: () => 5 } },
        },
        { name: 'hosts', sdl: entity('cores: Int'), resolvers: { Job: { cores: () => 8 } } },
      ],
      operation: '{ job { run { id cost } } }',
      data: { job: { run: { id: '3-8', cost: 10 } } },
    },
    {
      subgraphs: twoInterfaces,
      operation: '{ film { stars price } }',
      data: { film: { stars: 5, price: 9 } },
    },
  ],
  'interface-object-types': [
    {
      subgraphs: [
        {
          name: 'owner',
          sdl: `
            interface Media @key(fields: "id") { id: ID! }
            type Film implements Media @key(fields: "id") { id: ID! budget: Int }
          `,
          resolvers: {
            Media: { __resolveReference: ({ id }: Source) => ({ __typename: 'Film', id }) },
            Film: { budget: () => 7 },
          },
        },
        {
          name: 'charts',
          sdl: 'type Query { top: Media } type Media @key(fields: "id") @interfaceObject { id: ID! }',
          resolvers: { Query: { top: () => ({ id: 'f' }) } },
        },
      ],
      operation: '{ top { ... on Film { budget } } }',
      data: { top: { budget: 7 } },
    },
  ],
  'serial-mutations': [
    {
      get subgraphs() {
        return counted();
      },
      operation: 'mutation { first: submit { total } second: submit { total } }',
      data: { first: { total: 1 }, second: { total: 2 } },
    },
  ],
  'unused-alias': [
    {
      subgraphs: priced,
      operation: '{ thing { ... on Box { job { price cost } } } }',
      data: { thing: { job: { price: 1, cost: 300 } } },
    },
  ],
  'conflicting-fields': [
    {
      subgraphs: [
        {
          name: 'core',
          sdl: `
            type Query { things: [Thing!] }
            union Thing = Box | Can
            type Box @key(fields: "id") { id: ID! }
            type Can @key(fields: "id") { id: ID! size: Int @shareable }
          `,
          resolvers: {
            Query: {
              things: () => [
                { __typename: 'Box', id: 'b' },
                { __typename: 'Can', id: 'c' },
              ],
            },
            Can: { size: () => 2 },
          },
        },
        {
          name: 'sizes',
          sdl: `
            type Box @key(fields: "id") { id: ID! size: Int weight: Int }
            type Can @key(fields: "id") { id: ID! size: Int! @shareable weight: Int! @shareable }
          `,
          resolvers: { Box: { size: () => 1, weight: () => 3 }, Can: { size: () => 2, weight: () => 4 } },
        },
        {
          name: 'weights',
          sdl: 'type Can @key(fields: "id") { id: ID! weight: Int @shareable }',
          resolvers: { Can: { weight: () => 4 } },
        },
      ],
      operation: '{ things { ... on Box { weight } ... on Can { weight } } }',
      data: { things: [{ weight: 3 }, { weight: 4 }] },
    },
  ],
  'missing-keys': [
    {
      subgraphs: priced,
      operation: '{ job { cost next { price cost } } }',
      data: { job: { cost: 300, next: { price: 1, cost: 300 } } },
    },
  ],
  'merged-fields': [
    {
      subgraphs: [
        {
          name: 'core',
          sdl: `type Query { job: Job } ${entity('size(in: Int): Int')}`,
          resolvers: { Query: { job: () => ({ id: '1' }) }, Job: { size: argumentOrOne } },
        },
        { name: 'prices', sdl: entity('price(in: Int): Int'), resolvers: { Job: { price: argumentOrOne } } },
        {
          name: 'experiment',
          sdl: entity(`
            size(in: Int): Int @external
            price(in: Int): Int @external
            weight: Int @requires(fields: "size(in: 3)")
            cost: Int @requires(fields: "price(in: 4)")
          `),
          resolvers: { Job: { weight: ({ size }: Source) => size, cost: ({ price }: Source) => price } },
        },
      ],
      operation: '{ job { size price weight cost } }',
      data: { job: { size: 1, price: 1, weight: 3, cost: 4 } },
    },
  ],
  'wrong-required-field': [
    {
      subgraphs: priced,
      operation: '{ job { price cost next { price cost } } }',
      data: { job: { price: 1, cost: 300, next: { price: 1, cost: 300 } } },
    },
  ],
  'missing-type-conditions': [
    {
      subgraphs: media,
      operation: '{ top { ... on Film { c: stars } ... on Song { stars } } }',
      data: { top: [{ c: 5 }, { stars: 5 }] },
    },
  ],
  'redundant-fetches': [
    {
      subgraphs: [
        {
          name: 'users',
          sdl: 'type Query { user: User } type User @key(fields: "id") { id: ID! }',
          resolvers: { Query: { user: () => ({ id: 'u' }) } },
        },
        {
          name: 'jobs',
          sdl: `type User @key(fields: "id") { id: ID! job: Job } ${entity('size: Int')}`,
          resolvers: { User: { job: () => ({ id: '1' }) }, Job: { size: () => 2 } },
        },
        {
          name: 'experiment',
          sdl: entity('size: Int @external weight: Int @requires(fields: "size")'),
          resolvers: { Job: { weight: ({ size }: Source) => Number(size) * 2 } },
        },
      ],
      operation: '{ user { job { weight } } }',
      data: { user: { job: { weight: 4 } } },
      calls: 3,
    },
  ],
};
