import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { GraphQLError } from 'graphql';
import { type TestAnswer, type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// One null is told with one error, and what a service has lost is not asked of others.

type Source = Readonly<Record<string, unknown>>;
const fault = (code: string) => (): never => {
  throw new GraphQLError('lost', { extensions: { code } });
};
const ran: string[] = [];

const core = testSubgraph({
  name: 'core',
  sdl: `
    type Query { items: [Item] strict: [Item!]! item: Item }
    type Mutation { first: Item! soft: Item second: Int! }
    type Item @key(fields: "id") { id: ID! }
  `,
  resolvers: {
    Query: {
      items: () => [{ id: '1' }, { id: '2' }],
      strict: () => [{ id: '1' }, { id: '2' }],
      item: () => ({ id: '1' }),
    },
    Mutation: {
      first: () => (ran.push('first'), { id: '1' }),
      soft: () => (ran.push('soft'), { id: '1' }),
      second: () => ran.push('second'),
    },
  },
});
const keys = testSubgraph({
  name: 'keys',
  sdl: 'type Item @key(fields: "id") @key(fields: "sku") { id: ID! sku: String! bad: Int! worse: Int! soft: Int }',
  resolvers: {
    Item: {
      sku: ({ id }: Source) => `sku of ${String(id)}`,
      bad: fault('BAD'),
      worse: fault('WORSE'),
      soft: fault('SOFT'),
    },
  },
});
const extra = testSubgraph({
  name: 'extra',
  sdl: 'type Item @key(fields: "id") { id: ID! size: Int }',
  resolvers: { Item: { size: () => 7 } },
});
const last = testSubgraph({
  name: 'last',
  sdl: `
    type Item @key(fields: "sku") { sku: String! size: Int @external heavy: Int @requires(fields: "size") }
    type Mutation { third: Int }
  `,
  resolvers: {
    Item: { heavy: ({ size }: Source) => size },
    Mutation: { third: () => ran.push('third') },
  },
});

const told = ({ errors = [] }: TestAnswer): string[] =>
  errors.map(({ path, extensions }) => `${path?.join('.')} ${String(extensions['code'])}`).sort();

describe.each(['native', 'fallback'] as const)('one error for one null, by the %s planner', (planner) => {
  let gateway: TestEngine;
  beforeAll(async () => {
    gateway = await createTestEngine([core, keys, extra, last], { planner });
  });
  afterAll(() => gateway.close());

  test('two fields that may not be null fail in one object', async () => {
    const answer = await gateway.run('{ items { bad worse } }');
    expect(answer.data).toEqual({ items: [null, null] });
    expect(told(answer)).toEqual(['items.0.bad BAD', 'items.1.bad BAD']);
  });

  test('objects of a list that may have no nulls', async () => {
    const answer = await gateway.run('{ strict { bad } item { id } }');
    expect(answer.data).toBeNull();
    expect(told(answer)).toEqual(['strict.0.bad BAD']);
  });

  test('a field that may be null is told beside the others', async () => {
    const answer = await gateway.run('{ item { soft } items { soft } }');
    expect(told(answer)).toEqual(['item.soft SOFT', 'items.0.soft SOFT', 'items.1.soft SOFT']);
  });

  test('an entity that its service has lost is not asked for elsewhere without its key', async () => {
    last.calls.length = 0;
    const answer = await gateway.run('{ items { bad heavy } }');
    expect(answer.data).toEqual({ items: [null, null] });
    expect(told(answer)).toEqual(['items.0.bad BAD', 'items.1.bad BAD']);
    expect(last.calls).toEqual([]);
    const whole = await gateway.run('{ items { heavy } }');
    expect(whole.data).toEqual({ items: [{ heavy: 7 }, { heavy: 7 }] });
  });

  test('no mutation is begun after one that may not be null and is', async () => {
    ran.length = 0;
    const answer = await gateway.run('mutation { first { bad } third second }');
    expect(answer.data).toBeNull();
    expect(told(answer)).toEqual(['first.bad BAD']);
    expect(ran).toEqual(['first']);
  });

  test('mutations go on after one that may be null', async () => {
    ran.length = 0;
    const answer = await gateway.run('mutation { soft { bad } third second }');
    expect(answer.data).toEqual({ soft: null, third: 2, second: 3 });
    expect(ran).toEqual(['soft', 'third', 'second']);
  });
});
