import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GraphQLError } from 'graphql';
import { type TestAnswer, type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// One null is reported with one error, and an object that its subgraph has lost is not requested from others.

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

const textsOf = ({ errors = [] }: TestAnswer): string[] =>
  errors.map(({ path, extensions }) => `${path?.join('.')} ${String(extensions['code'])}`).sort();

describe.each(['native', 'fallback'] as const)('dedupeNullErrors, by the %s planner', (planner) => {
  let gateway: TestEngine;
  beforeAll(async () => {
    gateway = await createTestEngine([core, keys, extra, last], { planner });
  });
  afterAll(() => gateway.close());

  it('reports one error for two non-null fields that fail in one object', async () => {
    const answer = await gateway.run('{ items { bad worse } }');
    expect(answer.data).toEqual({ items: [null, null] });
    expect(textsOf(answer)).toEqual(['items.0.bad BAD', 'items.1.bad BAD']);
  });

  it('reports one error for failed objects in a list of non-null items', async () => {
    const answer = await gateway.run('{ strict { bad } item { id } }');
    expect(answer.data).toBeNull();
    expect(textsOf(answer)).toEqual(['strict.0.bad BAD']);
  });

  it('reports a nullable field in addition to the others', async () => {
    const answer = await gateway.run('{ item { soft } items { soft } }');
    expect(textsOf(answer)).toEqual(['item.soft SOFT', 'items.0.soft SOFT', 'items.1.soft SOFT']);
  });

  it('does not request an entity without its key after its subgraph has lost it', async () => {
    last.calls.length = 0;
    const answer = await gateway.run('{ items { bad heavy } }');
    expect(answer.data).toEqual({ items: [null, null] });
    expect(textsOf(answer)).toEqual(['items.0.bad BAD', 'items.1.bad BAD']);
    expect(last.calls).toEqual([]);
    const whole = await gateway.run('{ items { heavy } }');
    expect(whole.data).toEqual({ items: [{ heavy: 7 }, { heavy: 7 }] });
  });

  it('runs no mutation after a non-null mutation that returned null', async () => {
    ran.length = 0;
    const answer = await gateway.run('mutation { first { bad } third second }');
    expect(answer.data).toBeNull();
    expect(textsOf(answer)).toEqual(['first.bad BAD']);
    expect(ran).toEqual(['first']);
  });

  it('continues with mutations after a nullable one', async () => {
    ran.length = 0;
    const answer = await gateway.run('mutation { soft { bad } third second }');
    expect(answer.data).toEqual({ soft: null, third: 2, second: 3 });
    expect(ran).toEqual(['soft', 'third', 'second']);
  });
});
