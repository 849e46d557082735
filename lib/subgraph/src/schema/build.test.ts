import { describe, expect, it } from '@jest/globals';
import type { Policies } from '@rhizome/authz';
import { isAbstractType, isObjectType, parse } from 'graphql';
import { buildSubgraph } from './build.js';
import { demoPolicies, buildDemoSubgraph, typeDefsOf } from '../testing/demo-subgraph.fixture.js';

const open = { open: 'for tests' };

/** The errors that building reports, one per line; empty if it succeeds. */
function faultsOf(sdl: string, resolvers: Record<string, unknown>, policies: Policies): string[] {
  try {
    buildSubgraph({ name: 'alpha', typeDefs: typeDefsOf(sdl), resolvers, policies });
    return [];
  } catch (error) {
    const { code, details } = error as { code: string; details: { faults: string[] } };
    expect(code).toBe('CONFIG_INVALID');
    return details.faults;
  }
}

const sdl = /* GraphQL */ `
  type Query {
    one: String
  }
`;
const resolvers = { Query: { one: () => 'one' } };

describe('policies of entry points', () => {
  it('requires one for a root field', () => {
    expect(faultsOf(sdl, resolvers, {})).toEqual([expect.stringMatching(/^Query\.one has no policy/)]);
    expect(faultsOf(sdl, resolvers, { 'Query.one': open })).toEqual([]);
  });

  it('requires one for a mutation, a subscription and an entity, and reports all faults together', () => {
    const entryPoints = /* GraphQL */ `
      ${sdl}
      type Mutation {
        change: Int
      }
      type Subscription {
        changed: Int
      }
      type Thing @key(fields: "id") {
        id: ID!
      }
    `;
    const faults = faultsOf(
      entryPoints,
      { ...resolvers, Mutation: { change: () => 1 }, Subscription: { changed: { subscribe: () => [] } } },
      {},
    );
    expect(faults.map((fault) => fault.split(' ')[0]).sort()).toEqual([
      'Mutation.change',
      'Query.one',
      'Subscription.changed',
      'Thing.__resolveReference',
    ]);
  });

  it('requires none for a type that only refers to an entity of another subgraph', () => {
    const stub = `${sdl} type Thing @key(fields: "id", resolvable: false) { id: ID! }`;
    expect(faultsOf(stub, resolvers, { 'Query.one': open })).toEqual([]);
  });

  it('rejects one without an entry point and an open one without a reason', () => {
    expect(faultsOf(sdl, resolvers, { 'Query.one': open, 'Query.two': open })).toEqual([
      expect.stringMatching(/policy for Query\.two, which is not in the SDL/),
    ]);
    expect(faultsOf(sdl, resolvers, { 'Query.one': { open: ' ' } })).toEqual([
      'Query.one is open without a reason',
    ]);
  });

  it('lists the entry points with their policies', () => {
    const { entryPoints } = buildDemoSubgraph().subgraph;
    expect(Object.fromEntries(entryPoints.map(({ name, policy }) => [name, policy]))).toEqual(demoPolicies);
  });
});

describe('the directive perPrincipal', () => {
  const marked = sdl.replace('one: String', 'one: String @perPrincipal');

  it.each([
    ['the SDL alone', marked, open, /in its SDL but not in its policy/],
    ['the policy alone', sdl, { ...open, perPrincipal: true }, /in its policy but not in its SDL/],
    [
      'neither, although the policy asks whose it is',
      sdl,
      { own: { rule: 'own', holds: () => true } },
      /must be marked/,
    ],
  ])('is rejected in %s', (_where, text, policy, message) => {
    expect(faultsOf(text, resolvers, { 'Query.one': policy })).toEqual([expect.stringMatching(message)]);
  });

  it('is accepted in both', () => {
    expect(faultsOf(marked, resolvers, { 'Query.one': { ...open, perPrincipal: true } })).toEqual([]);
  });
});

describe('the directive resumable', () => {
  const stream = (mark: string) => /* GraphQL */ `
    ${sdl}
    type Subscription {
      changed(after: String): Changed ${mark}
    }
    type Changed {
      cursor: String!
    }
  `;
  const streaming = { ...resolvers, Subscription: { changed: { subscribe: () => [] } } };
  const policies = { 'Query.one': open, 'Subscription.changed': open };

  it('names an existing argument and an existing field', () => {
    expect(faultsOf(stream('@resumable(argument: "after", cursor: "cursor")'), streaming, policies)).toEqual(
      [],
    );
    expect(
      faultsOf(stream('@resumable(argument: "since", cursor: "position")'), streaming, policies),
    ).toEqual([
      expect.stringMatching(/"since" as its cursor argument/),
      expect.stringMatching(/"position" as its cursor field/),
    ]);
    const latest = stream('@resumable(argument: "after", cursor: "cursor", latest: "how")');
    expect(faultsOf(latest, streaming, policies)).toEqual([
      expect.stringMatching(/"how" as its argument for slow consumers/),
    ]);
  });
});

describe('resolvers', () => {
  it('rejects resolvers for elements that the schema does not have', () => {
    const misspelt = { Query: { ...resolvers.Query, tow: () => 2 }, Gast: { name: () => '' } };
    expect(faultsOf(sdl, misspelt, { 'Query.one': open })).toEqual([
      expect.stringMatching(/Query\.tow, which is not in the SDL/),
      expect.stringMatching(/Gast, which is not in the SDL/),
    ]);
  });

  it('requires one for every root field', () => {
    const missing = faultsOf(
      `${sdl} type Subscription { changed: Int }`,
      {},
      {
        'Query.one': open,
        'Subscription.changed': open,
      },
    );
    expect(missing).toEqual(['Query.one has no resolver', 'Subscription.changed has no subscribe function']);
  });

  it('merges resolvers of several domains and rejects two for one field', () => {
    const typeDefs = typeDefsOf(`type Query { one: String two: String }`);
    const policies = { 'Query.one': open, 'Query.two': open };
    const two = { Query: { two: () => 'two' } };
    expect(
      buildSubgraph({ name: 'alpha', typeDefs, resolvers: [resolvers, two], policies }).entryPoints,
    ).toHaveLength(2);
    expect(() =>
      buildSubgraph({ name: 'alpha', typeDefs, resolvers: [resolvers, two, two], policies }),
    ).toThrow(/Query\.two is resolved by two resolver maps/);
  });

  it('requires synchronous type resolvers', () => {
    const abstract = `${sdl} union Either = A | B type A { a: Int } type B { b: Int }`;
    const slow = {
      ...resolvers,
      Either: { __resolveType: async () => 'A' },
      A: { __isTypeOf: async () => true },
    };
    expect(faultsOf(abstract, slow, { 'Query.one': open })).toEqual(
      expect.arrayContaining([
        'Either.__resolveType must be synchronous',
        'A.__isTypeOf must be synchronous',
      ]),
    );
  });

  it('has an explicit resolver for every field and every abstract type afterwards', () => {
    const { schema } = buildDemoSubgraph().subgraph;
    for (const type of Object.values(schema.getTypeMap())) {
      if (type.name.startsWith('__')) continue;
      if (isAbstractType(type)) expect(type.resolveType).toBeInstanceOf(Function);
      if (!isObjectType(type)) continue;
      for (const field of Object.values(type.getFields())) expect(field.resolve).toBeInstanceOf(Function);
    }
  });
});

describe('the SDL of a subgraph', () => {
  it('contains the source text with the shared types and without the federation machinery', () => {
    const { sdl: published } = buildDemoSubgraph().subgraph;
    expect(() => parse(published)).not.toThrow();
    expect(published).toContain('type Plant implements Thing @key(fields: "id")');
    expect(published).toContain('@composeDirective(name: "@resumable")');
    expect(published).not.toContain('_Entity');
    expect(published).not.toContain('directive @key');
  });
});
