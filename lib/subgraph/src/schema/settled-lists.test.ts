import { describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { buildSchema, execute, type ExecutionResult, isObjectType, parse } from 'graphql';
import { OperationCompiler, type ExecutionMode } from '../execution/operation.js';
import { settleLists } from './settled-lists.js';
import type { SubgraphContext } from '../context/types.js';

/** A list item: available at once, later, failed at once, failed later, null. */
type Kind = 'now' | 'later' | 'fails' | 'fails later' | 'null' | 'null later';
const kinds: readonly Kind[] = ['now', 'later', 'fails', 'fails later', 'null', 'null later'];

function item(kind: Kind): unknown {
  const value = { __typename: 'Tree', name: kind };
  if (kind === 'now') return value;
  if (kind === 'fails') return new Error(kind);
  if (kind === 'null') return null;
  return delay(kind === 'later' ? 2 : 1).then(() => {
    if (kind === 'fails later') throw new Error(kind);
    return kind === 'later' ? value : null;
  });
}

function schemaOf() {
  const schema = buildSchema(
    'union Plant = Tree | Herb type Tree { name: String } type Herb { name: String } type Query { plants(kinds: [String!]!): [Plant]! }',
  );
  const query = schema.getQueryType();
  const plant = schema.getType('Plant');
  if (!isObjectType(query) || !plant || !('resolveType' in plant))
    throw new Error('the schema is another one');
  plant.resolveType = (value: unknown) => (value as { __typename: string }).__typename;
  const field = query.getFields()['plants'];
  if (!field) throw new Error('the schema is another one');
  field.resolve = (_parent, args: { kinds: Kind[] }) => args.kinds.map(item);
  return schema;
}

const document = parse('query ($kinds: [String!]!) { plants(kinds: $kinds) { ... on Tree { name } } }');

/** All lists of three items. */
const lists = kinds.flatMap((a) => kinds.flatMap((b) => kinds.map((c) => [a, b, c])));

describe.each<ExecutionMode>(['jit', 'interpreted'])('lists with items that fail, %s', (mode) => {
  it('keeps every item at its index, as graphql-js does', async () => {
    const plain = schemaOf();
    const settled = schemaOf();
    const field = settled.getQueryType()?.getFields()['plants'];
    if (field) settleLists(field);
    const operation = new OperationCompiler(settled, mode).compile(document, undefined);
    if ('errors' in operation) throw operation.errors[0];
    const shown = ({ data, errors }: ExecutionResult) => ({
      data: JSON.parse(JSON.stringify(data)) as unknown,
      paths: errors?.map(({ path }) => path?.join('.')).sort(),
    });
    await Promise.all(
      lists.map(async (list) => {
        const answer = await operation.run(undefined, {} as SubgraphContext, { kinds: list });
        const expected = await execute({ schema: plain, document, variableValues: { kinds: list } });
        expect({ list, ...shown(answer) }).toEqual({ list, ...shown(expected) });
      }),
    );
  });
});
