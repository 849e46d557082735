import { describe, expect, it } from '@jest/globals';
import { buildSchema, lexicographicSortSchema, printSchema } from 'graphql';
import { buildInTurns } from './build-schema.js';

const definitions = [
  'schema { query: Root mutation: Change }',
  '"a root" type Root { things(first: Int = 3, filter: Filter): [Thing!]! @deprecated(reason: "old") any: Any }',
  'type Change { rename(name: String!): Thing }',
  'interface Node { id: ID! }',
  'type Thing implements Node { id: ID! at: Time kind: Kind! other: Thing }',
  'union Any = Thing | Change',
  'enum Kind { "one" A B @deprecated }',
  'input Filter { name: String = "x" deep: [Filter!] }',
  'scalar Time @specifiedBy(url: "https://example.org")',
  'directive @note(level: Int!) repeatable on FIELD_DEFINITION',
];

describe('a schema that is built in slices', () => {
  it('equals the schema that graphql-js builds at once', async () => {
    const built = await buildInTurns(definitions);
    const at = buildSchema(definitions.join('\n'));
    expect(printSchema(lexicographicSortSchema(built))).toBe(printSchema(lexicographicSortSchema(at)));
    expect(built.getQueryType()?.name).toBe('Root');
    expect(
      built
        .getDirectives()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(
      at
        .getDirectives()
        .map(({ name }) => name)
        .sort(),
    );
  });

  it('reuses unchanged definitions of the previous schema, or all of it if nothing changed', async () => {
    const before = await buildInTurns(definitions);
    expect(await buildInTurns([...definitions])).toBe(before);
    const changed = definitions.map((text) =>
      text.replace('type Thing implements Node { id: ID!', '$& now: Time'),
    );
    const after = await buildInTurns(changed);
    const expected = buildSchema(changed.join('\n'));
    expect(printSchema(lexicographicSortSchema(after))).toBe(printSchema(lexicographicSortSchema(expected)));
    expect(after.getType('Filter')?.astNode).toBe(before.getType('Filter')?.astNode);
    expect(after.getType('Filter')).not.toBe(before.getType('Filter'));
    const [, , ...others] = definitions;
    const less = await buildInTurns(['type Root { any: Any }', 'schema { query: Root }', ...others]);
    expect([less.getMutationType(), less.getQueryType()?.name]).toEqual([undefined, 'Root']);
  });

  it('finds its root types by their default names', async () => {
    const built = await buildInTurns(['type Query { a: Int }', 'type Subscription { b: Int }']);
    expect([built.getQueryType()?.name, built.getMutationType(), built.getSubscriptionType()?.name]).toEqual([
      'Query',
      undefined,
      'Subscription',
    ]);
  });

  it('yields to the event loop while it is built', async () => {
    const many = Array.from(
      { length: 3_000 },
      (_, index) => `type T${index} { a(b: Int, c: String): T${(index + 1) % 3_000} d: [String!]! e: Int }`,
    );
    let turns = 0;
    let isBuilding = true;
    const count = (): void => {
      turns++;
      if (isBuilding) setImmediate(count);
    };
    setImmediate(count);
    const built = await buildInTurns(['type Query { t: T0 }', ...many]);
    isBuilding = false;
    expect(Object.keys(built.getTypeMap()).length).toBeGreaterThan(3_000);
    expect(turns).toBeGreaterThan(3);
  });
});
