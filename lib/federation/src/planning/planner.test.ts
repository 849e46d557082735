import { describe, expect, it } from '@jest/globals';
import { parse } from 'graphql';
import { composeSubgraphs } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';
import { guards } from './guards.js';
import { fetchesOf, type PlanNode } from './plan-format.js';
import { createPlanner, type Planner, type PlanReply } from './planner.js';

const core = testSubgraph({
  name: 'core',
  sdl: `
    type Query { jobs(n: Int): [Job!] thing: Thing }
    type Mutation { one: Job two: Job core: Int other: Int }
    type Job @key(fields: "id") { id: ID! size: Int inner: Job price(in: Int): Int }
    union Thing = A | B
    type A @key(fields: "id") { id: ID! a: Int jobs: [Job!] }
    type B @key(fields: "id") { id: ID! b: Int }
    type Secret @inaccessible { x: Int }
  `,
});
const alpha = testSubgraph({
  name: 'alpha',
  sdl: `
    type Job @key(fields: "id") { id: ID! alpha(n: Int): Alpha size: Int @external weight(k: Int): Int @requires(fields: "size") price(in: Int): Int @external priced: Int @requires(fields: "price(in: 3)") }
    type Alpha { job: Job run: Int }
    type A @key(fields: "id") { id: ID! more: Int }
    type Mutation { submitAlpha: Job }
  `,
});
const limits = { documentTokens: 200, expandedFields: 100 };
const planner: Planner = createPlanner(composeSubgraphs([core, alpha]), limits);

function plan(query: string, conditions: Record<string, boolean> = {}, fallbackOnly = false): PlanReply {
  expect(planner.validate(query, undefined)).toBeUndefined();
  return planner.plan({
    query,
    operationName: undefined,
    labels: [],
    percentage: 100,
    conditions,
    fallbackOnly,
  });
}

function nodeOf(reply: PlanReply): PlanNode | null {
  if (reply.outcome !== 'planned') throw new Error(reply.reason);
  return reply.node;
}

function texts(reply: PlanReply): string[] {
  return [...fetchesOf(nodeOf(reply))].map(({ serviceName, operation }) => `${serviceName} ${operation}`);
}

describe('guards of the native planner', () => {
  it.each(['representations', '__batch_reps_0'])("renames a client's variable called $%s", (name) => {
    const reply = plan(
      `query ($${name}: Int) { jobs(n: $${name}) { weight(k: $${name}) alpha(n: $${name}) { run } inner { weight } } }`,
    );
    for (const { operation } of fetchesOf(nodeOf(reply))) {
      const [head = ''] = operation.split('{');
      const names = [...head.matchAll(/\$(\w+)/g)].map(([, found]) => found);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  it("keeps a required argument next to the client's own under an alias", () => {
    const reply = plan('{ thing { ... on A { jobs { price priced } } } }');
    expect(reply).toMatchObject({
      planner: 'fallback',
      fault: guards['unused-alias'].fault,
    });
  });

  it('renames a variable to a name that no other has', () => {
    const reply = plan(
      'query ($representations: Int, $client_representations: Int) { a: jobs(n: $representations) { id } b: jobs(n: $client_representations) { id } }',
    );
    expect(texts(reply)).toEqual([expect.stringContaining('$client_representations_')]);
  });

  it('resolves @requires back into the subgraph that an entity came from', () => {
    expect(plan('{ jobs { alpha { job { weight } } } }')).toMatchObject({
      outcome: 'planned',
      planner: 'fallback',
    });
  });

  it('prints conditions on members of a union as valid text', () => {
    const query =
      'query ($x: Boolean!) { thing { ... on A @include(if: $x) { a more } ... on B { b } ... on Thing @skip(if: $x) { ... on A { more } } } }';
    for (const x of [true, false]) {
      for (const text of texts(plan(query, { x }))) {
        expect(() => parse(text.slice(text.indexOf(' ')))).not.toThrow();
        expect(text).not.toMatch(/@(skip|include)/);
      }
    }
  });

  it('keeps a field around a fragment that matches no type', () => {
    expect(texts(plan('{ thing { ... on A { ... on Thing { ... on B { b } } } } }'))).toEqual([
      'core {thing{__typename}}',
    ]);
  });

  it('leaves an alias of __typename to the writer of the answer', () => {
    expect(texts(plan('{ thing { t: __typename } }'))).toEqual(['core {thing{__typename}}']);
  });

  it('ends a mutation with its selections before the next one begins', () => {
    const reply = plan('mutation { one { alpha { run } } submitAlpha { size } two { alpha { run } } }');
    expect(texts(reply).map((text) => text.replace(/\(.*?\)/g, '').slice(0, 24))).toEqual([
      'core mutation{one{__type',
      'alpha query{_entities{..',
      'alpha mutation{submitAlp',
      'core query{_entities{...',
      'core mutation{two{__type',
      'alpha query{_entities{..',
    ]);
    expect(nodeOf(reply)?.kind).toBe('Sequence');
  });

  it('sends mutations of one subgraph without further fetches in one call', () => {
    expect(texts(plan('mutation { core other }'))).toEqual(['core mutation{core other}']);
  });

  it('returns no plan for an operation without fields', () => {
    expect(
      nodeOf(
        plan(
          'query ($x: Boolean!) { jobs @skip(if: true) { id } thing @include(if: $x) { __typename } __typename __schema { queryType { name } } }',
          { x: false },
        ),
      ),
    ).toBeNull();
  });

  it('plans an object without selections to check whether it exists', () => {
    expect(texts(plan('{ jobs { id @skip(if: true) } }'))).toEqual(['core {jobs{__typename}}']);
  });

  it('ignores @defer', () => {
    expect(texts(plan('{ jobs { ... @defer(label: "l") { size } } }'))).toEqual(['core {jobs{size}}']);
  });

  it('selects an operation by its name and rejects a request without one', () => {
    const query = 'query A { jobs { id } } query B { thing { __typename } }';
    expect(planner.validate(query, undefined)).toMatchObject({ code: 'OPERATION_RESOLUTION_FAILURE' });
    expect(planner.validate(query, 'C')).toMatchObject({ code: 'OPERATION_RESOLUTION_FAILURE' });
    expect(planner.validate(query, 'B')).toBeUndefined();
  });

  it('rejects an unknown argument, which the native planner accepts', () => {
    expect(planner.validate('{ jobs(nope: 1) { id } }', undefined)).toMatchObject({
      code: 'GRAPHQL_VALIDATION_FAILED',
    });
  });
});

describe('limits before planning', () => {
  it('limits tokens', () => {
    expect(planner.validate(`{ ${'jobs { id } '.repeat(80)} }`, undefined)).toMatchObject({
      code: 'OPERATION_TOO_COMPLEX',
      errors: [{ message: 'The operation has more than 200 tokens; the limit is 200' }],
    });
  });

  it('limits fields after inlining fragments', () => {
    const fragments = Array.from(
      { length: 12 },
      (_, index) =>
        `fragment F${index} on Job { ${index === 11 ? 'id' : `a: inner { ...F${index + 1} } b: inner { ...F${index + 1} }`} }`,
    );
    const query = `{ jobs { ...F0 } } ${fragments.join(' ')}`;
    const patient = createPlanner(composeSubgraphs([core, alpha]), {
      documentTokens: 10_000,
      expandedFields: 1_000,
    });
    expect(patient.validate(query, undefined)).toMatchObject({ code: 'OPERATION_TOO_COMPLEX' });
  });

  it('rejects names that JavaScript objects cannot hold', () => {
    expect(planner.validate('{ __proto__: jobs { id } }', undefined)).toMatchObject({
      code: 'GRAPHQL_VALIDATION_FAILED',
    });
  });

  it('limits errors reported for one document', () => {
    const reply = planner.validate(
      `{ ${Array.from({ length: 60 }, (_, index) => `n${index}`).join(' ')} }`,
      undefined,
    );
    expect(reply?.errors.length).toBeLessThanOrEqual(26);
  });
});

describe('the public schema', () => {
  it('contains neither hidden elements nor federation directives', () => {
    const sdl = planner.facts.publicDefinitions.join('\n');
    expect(sdl).not.toMatch(/Secret|join__|link|@inaccessible|@key|_Any|__schema/);
    expect(sdl).toContain('union Thing = A | B');
  });
});
