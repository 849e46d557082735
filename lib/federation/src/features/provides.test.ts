import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// Provided fields of entities show which subgraph returned them: their values differ from the owner's.

const cat = { __typename: 'Cat', id: 'c', name: 'Tom', toy: { id: 't', label: 'ball' } };
const dog = { __typename: 'Dog', id: 'd', name: 'Rex', breed: 'pug' };

const shelter = testSubgraph({
  name: 'shelter',
  sdl: `
    type Query {
      pet: Pet @provides(fields: "... on Dog { breed name } ... on Cat { name toy { label } }")
      pets: [Pet!]
      any: [Any!] @provides(fields: "... on Cat { name } ... on Dog { name breed }")
      home: Home
      coded: Coded @provides(fields: "code")
      codeds: [Coded!]
    }
    type Home { pets: [Pet] @provides(fields: "... on Cat { name } ... on Dog { name }") raw: [Pet] }
    interface Pet { id: ID! }
    interface Coded { id: ID! code: String @external }
    type Cat implements Pet & Coded @key(fields: "id") { id: ID! name: String @external toy: Toy @shareable code: String @external }
    type Dog implements Pet & Coded @key(fields: "id") { id: ID! name: String @external breed: String @external code: String @external }
    type Toy @key(fields: "id") { id: ID! label: String @external }
    union Any = Cat | Dog
  `,
  resolvers: {
    Query: {
      pet: () => cat,
      pets: () => [cat, dog],
      any: () => [dog, cat],
      home: () => ({ pets: [dog, null, cat], raw: [dog, null, cat] }),
      coded: () => ({ ...dog, code: 'code' }),
      codeds: () => [dog, cat],
    },
  },
});

const registry = testSubgraph({
  name: 'registry',
  sdl: `
    interface Named { name: String }
    interface Coded { id: ID! code: String }
    type Cat implements Named & Coded @key(fields: "id") { id: ID! name: String @shareable toy: Toy @shareable age: Int code: String @shareable }
    type Dog implements Named & Coded @key(fields: "id") { id: ID! name: String @shareable breed: String @shareable age: Int code: String @shareable }
    type Toy @key(fields: "id") { id: ID! label: String @shareable price: Int }
  `,
  resolvers: {
    Cat: { name: () => 'own Tom', toy: () => ({ id: 't' }), age: () => 4, code: () => 'own c' },
    Dog: { name: () => 'own Rex', breed: () => 'own pug', age: () => 5, code: () => 'own d' },
    Toy: { label: () => 'own ball', price: () => 9 },
  },
});

describe.each(['native', 'fallback'] as const)(
  '@provides on abstract types, by the %s planner',
  (planner) => {
    let gateway: TestEngine;
    beforeAll(async () => {
      gateway = await createTestEngine([shelter, registry], { planner });
    });
    afterAll(() => gateway.close());

    it.each<[string, string, string]>([
      ['a field of one type', '{ pet { ... on Cat { name } } }', '{"pet":{"name":"Tom"}}'],
      [
        'asked by an interface that only its owner knows',
        '{ pet { ... on Named { name } } }',
        '{"pet":{"name":"Tom"}}',
      ],
      [
        'an object below, next to fields that are not provided',
        '{ pet { ... on Cat { name toy { label price } age } ... on Dog { breed } } }',
        '{"pet":{"name":"Tom","toy":{"label":"ball","price":9},"age":4}}',
      ],
      [
        'nothing where the field does not provide it',
        '{ pets { ... on Cat { name toy { label } } ... on Dog { breed age } } }',
        '{"pets":[{"name":"own Tom","toy":{"label":"own ball"}},{"breed":"own pug","age":5}]}',
      ],
      [
        'members of a union',
        '{ any { ... on Named { name } ... on Dog { breed } } }',
        '{"any":[{"name":"Rex","breed":"pug"},{"name":"Tom"}]}',
      ],
      [
        'members of a union under keys that mean something else for each',
        '{ any { ... on Cat { n: name age } ... on Dog { n: breed name } } }',
        '{"any":[{"n":"pug","name":"Rex"},{"n":"Tom","age":4}]}',
      ],
      [
        'two ways to one type, of which one provides',
        '{ home { pets { ... on Named { name } } raw { ... on Named { name } } } }',
        '{"home":{"pets":[{"name":"Rex"},null,{"name":"Tom"}],"raw":[{"name":"own Rex"},null,{"name":"own Tom"}]}}',
      ],
      [
        "the interface's own field",
        '{ coded { code } codeds { code id } }',
        '{"coded":{"code":"code"},"codeds":[{"code":"own d","id":"d"},{"code":"own c","id":"c"}]}',
      ],
    ])('resolves %s', async (_name, query, data) => {
      expect(await gateway.text(query)).toBe(`{"data":${data}}`);
    });

    it('needs no call for provided fields', async () => {
      registry.calls.length = 0;
      await gateway.run(
        '{ pet { ... on Cat { name toy { label } } } any { ... on Named { name } } coded { code } }',
      );
      expect(registry.calls).toEqual([]);
    });
  },
);
