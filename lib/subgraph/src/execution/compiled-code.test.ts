import { describe, expect, it } from '@jest/globals';
import {
  buildSchema,
  execute,
  type ExecutionResult,
  type GraphQLObjectType,
  type GraphQLSchema,
  parse,
} from 'graphql';
import { settleResolvers } from '../schema/compilable.js';
import type { SubgraphContext } from '../context/types.js';
import { OperationCompiler } from './operation.js';

const context = {} as SubgraphContext;

/** A schema with one box, created by `box`, and the number of times that it was created. */
function boxes(box: () => unknown): { schema: GraphQLSchema; made: () => number } {
  const schema = buildSchema(`
    enum Colour { RED BLUE }
    type Query { box: Box boxes: [Box!]! }
    type Mutation { box: Box }
    type Box { id: ID! size: Int name: String colour: Colour strict: Int! inner: Box tags: [String!] }
  `);
  let count = 0;
  for (const root of [schema.getQueryType(), schema.getMutationType()] as GraphQLObjectType[]) {
    const fields = root.getFields();
    const resolve = () => {
      count += 1;
      return box();
    };
    if (fields['box']) fields['box'].resolve = resolve;
    if (fields['boxes']) fields['boxes'].resolve = () => [resolve(), resolve()];
  }
  settleResolvers(schema);
  return { schema, made: () => count };
}

const all = '{ box { id size name colour strict inner { id size } tags } boxes { id name } }';

async function both(box: () => unknown, query: string) {
  const { schema } = boxes(box);
  const document = parse(query);
  const operation = new OperationCompiler(schema, 'jit').compile(document, undefined);
  if ('errors' in operation) throw new Error(operation.errors[0]?.message);
  const plainResult = (result: ExecutionResult) => ({
    text: JSON.stringify(result.data),
    errors: result.errors
      ?.map(({ message, path }) => ({ message, path }))
      .sort((a, b) => (String(a.path) < String(b.path) ? -1 : 1)),
  });
  const expected = plainResult(await execute({ schema, document }));
  const first = plainResult(await operation.run(undefined, context, {}));
  const again = plainResult(await operation.run(undefined, context, {}));
  return { expected, first, again };
}

describe('a leaf of a compiled operation', () => {
  const plain = { id: 1, size: 2, name: 'a', colour: 'RED', strict: 3, inner: { id: 4 }, tags: ['x'] };
  it.each<[string, () => unknown]>([
    ['plain values', () => plain],
    ['missing values', () => ({ id: 1, strict: 2 })],
    ['a missing value that must be there', () => ({ id: 1 })],
    ['methods', () => ({ ...plain, size: () => 7, name: () => Promise.resolve('late') })],
    [
      'a method that needs its object',
      () => ({
        ...plain,
        own: 9,
        size(this: void) {
          return 5;
        },
      }),
    ],
    [
      'methods of a class',
      () =>
        new (class {
          readonly id = 5;
          strict = 1;
          name() {
            return `box ${this.id}`;
          }
        })(),
    ],
    ['promises', () => ({ ...plain, name: Promise.resolve('soon'), colour: Promise.resolve('BLUE') })],
    ['methods deep inside', () => ({ ...plain, inner: { id: () => 'deep', size: Promise.resolve(1) } })],
    [
      'a method that throws',
      () => ({
        ...plain,
        name: () => {
          throw new Error('no name');
        },
      }),
    ],
    ['errors as values', () => ({ ...plain, name: new Error('no name') })],
    [
      'a property that throws',
      () =>
        Object.defineProperty({ ...plain }, 'name', {
          get: () => {
            throw new Error('no name');
          },
        }),
    ],
    ['a value that does not fit', () => ({ ...plain, size: 'many' })],
    ['nothing', () => null],
  ])('has the value that graphql-js reads: %s', async (_what, box) => {
    const { expected, first, again } = await both(box, all);
    expect(first).toEqual(expected);
    expect(again).toEqual(expected);
  });

  it('runs a mutation once, whatever its values are', async () => {
    const { schema, made } = boxes(() => ({ id: () => 'm', strict: 1 }));
    const operation = new OperationCompiler(schema, 'jit').compile(
      parse('mutation { box { id } }'),
      undefined,
    );
    if ('errors' in operation) throw new Error('invalid');
    expect(await operation.run(undefined, context, {})).toEqual({ data: { box: { id: 'm' } } });
    expect(made()).toBe(1);
  });

  it('reads a query with live values twice the first time and once after that', async () => {
    const { schema, made } = boxes(() => ({ id: () => 'q', strict: 1 }));
    const operation = new OperationCompiler(schema, 'jit').compile(parse('{ box { id } }'), undefined);
    if ('errors' in operation) throw new Error('invalid');
    for (const times of [2, 3, 4]) {
      expect(await operation.run(undefined, context, {})).toEqual({ data: { box: { id: 'q' } } });
      expect(made()).toBe(times);
    }
  });
});
