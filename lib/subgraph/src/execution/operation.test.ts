import { describe, expect, it, jest } from '@jest/globals';
import { buildSchema, type GraphQLObjectType, parse } from 'graphql';
import { CodeCompiler } from './compiled-code.js';
import type { SubgraphContext } from '../context/types.js';
import { type ExecutionMode, OperationCompiler } from './operation.js';

const schema = buildSchema(`
  enum Phase { HALF WHOLE }
  input Choice @oneOf { id: ID name: String }
  input Item { id: ID! phase: Phase! = WHOLE size: Int = 3 tags: [String!]! = ["a"] choice: Choice inner: Item }
  type Query { echo(item: Item!, items: [Item!] = [{ id: "d" }], count: Int! = 5): String }
`);
const { echo } = (schema.getQueryType() as GraphQLObjectType).getFields();
/** Text that does not depend on the order of arguments. */
const sorted = (_key: string, value: unknown): unknown =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
if (echo) echo.resolve = (_parent, args) => JSON.stringify(args, sorted);

async function run(mode: ExecutionMode, query: string, variables: Record<string, unknown>) {
  const operation = new OperationCompiler(schema, mode).compile(parse(query), undefined);
  if ('errors' in operation) throw new Error(operation.errors[0]?.message);
  const { data, errors } = await operation.run(undefined, {} as SubgraphContext, variables);
  return { data: data ? { ...data } : data, errors: errors?.map(({ message }) => message) };
}

describe('variables, compiled and interpreted', () => {
  const whole =
    'query ($item: Item!, $items: [Item!], $count: Int! = 7) { echo(item: $item, items: $items, count: $count) }';
  const cases: readonly (readonly [string, string, Record<string, unknown>])[] = [
    ['default values of non-null input fields', whole, { item: { id: '1' } }],
    ['a null where null is allowed', whole, { item: { id: '1', size: null }, items: null }],
    [
      'nested input objects',
      whole,
      { item: { id: '1', inner: { id: '2', phase: 'HALF' } }, items: [{ id: 3 }] },
    ],
    ['one item where a list is wanted', whole, { item: { id: '1' }, items: { id: '4' } }],
    ['a missing required field', whole, { item: {} }],
    ['a null for a non-null field', whole, { item: { id: '1', phase: null } }],
    ['an unknown field', whole, { item: { id: '1', colour: 'red' } }],
    ['two choices of one', whole, { item: { id: '1', choice: { id: '1', name: 'x' } } }],
    ['one choice of one', whole, { item: { id: '1', choice: { name: 'x' } } }],
    ['a wrong enum value', whole, { item: { id: '1', phase: 'QUARTER' } }],
    ['a missing variable', whole, {}],
    [
      'an argument whose variable is absent',
      'query ($count: Int) { echo(item: { id: "1" }, count: $count) }',
      {},
    ],
    [
      'a variable inside an input literal',
      'query ($id: ID!, $size: Int) { echo(item: { id: $id, size: $size }) }',
      { id: '1' },
    ],
    [
      'a variable inside a list literal',
      'query ($a: Item!) { echo(item: $a, items: [$a, { id: "2" }]) }',
      { a: { id: '1' } },
    ],
    [
      'a condition',
      'query ($no: Boolean! = true) { a: echo(item: { id: "1" }) @skip(if: $no) b: echo(item: { id: "2" }) }',
      {},
    ],
  ];

  it.each(cases)('has the same meaning in both modes: %s', async (_what, query, variables) => {
    expect(await run('jit', query, variables)).toEqual(await run('interpreted', query, variables));
  });
});

it('compiles an operation once after the configured number of runs, with the same answer before and after', async () => {
  const compile = jest.spyOn(CodeCompiler.prototype, 'compile');
  try {
    const document = parse('query ($item: Item!) { echo(item: $item) }');
    const compiler = new OperationCompiler(schema, 'jit', 2);
    const texts: unknown[] = [];
    const made: number[] = [];
    for (let turn = 0; turn < 4; turn++) {
      const operation = compiler.compile(document, undefined);
      if ('errors' in operation) throw new Error(operation.errors[0]?.message);
      const { data } = await operation.run(undefined, {} as SubgraphContext, { item: { id: '1' } });
      texts.push(data?.['echo']);
      made.push(compile.mock.calls.length);
    }
    expect(made).toEqual([0, 0, 1, 1]);
    expect(new Set(texts).size).toBe(1);
  } finally {
    compile.mockRestore();
  }
});

it('compiles an operation at once if its first variables contain thousands of values', async () => {
  const compile = jest.spyOn(CodeCompiler.prototype, 'compile');
  try {
    const operation = new OperationCompiler(schema, 'jit', 1).compile(
      parse('query ($items: [Item!]) { echo(item: { id: "1" }, items: $items) }'),
      undefined,
    );
    if ('errors' in operation) throw new Error(operation.errors[0]?.message);
    const items = Array.from({ length: 2_000 }, (_, at) => ({ id: String(at) }));
    const { data } = await operation.run(undefined, {} as SubgraphContext, { items });
    expect(JSON.parse(String(data?.['echo']))).toMatchObject({ items });
    expect(compile).toHaveBeenCalledTimes(1);
  } finally {
    compile.mockRestore();
  }
});
