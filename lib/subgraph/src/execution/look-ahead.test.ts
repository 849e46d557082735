import { expect, it } from '@jest/globals';
import { buildSchema, execute, type GraphQLResolveInfo, isObjectType, parse } from 'graphql';
import { lookAhead } from './look-ahead.js';

const schema = buildSchema(
  `type Query { tree: Tree forest(first: Int): Forest plants: [Plant!] } union Plant = Tree | Herb
   type Forest { nodes: [Tree!] edges: [Edge!] size: Int } type Edge { node: Tree cursor: String }
   type Tree { name: String height: Int age: Int kind: Herb } type Herb { name: String smell: String }`,
);

/** The selection that a resolver of the field sees. */
async function seenBy(
  field: string,
  look: (info: GraphQLResolveInfo) => unknown,
  text: string,
): Promise<unknown> {
  const query = schema.getQueryType();
  let seen: unknown;
  const of = isObjectType(query) ? query.getFields()[field] : undefined;
  if (!of) throw new Error(`there is no field ${field}`);
  of.resolve = (_parent, _args, _context, info) => {
    seen = look(info);
    return null;
  };
  const { errors } = await execute({ schema, document: parse(text), variableValues: { yes: false } });
  if (errors) throw errors[0] as Error;
  return seen;
}

const names = (fields: ReadonlySet<string>): string[] => [...fields].sort();

it.each([
  ['fields, whatever they are called in the answer', '{ tree { a: name name height } }', ['height', 'name']],
  [
    'fields of fragments',
    '{ tree { ...f ... on Tree { age } ... { height } } } fragment f on Tree { name }',
    ['age', 'height', 'name'],
  ],
  [
    'fields under conditions',
    'query ($yes: Boolean!) { tree { name @include(if: $yes) age @skip(if: $yes) } }',
    ['age', 'name'],
  ],
  ['no fields of objects below', '{ tree { kind { smell } } }', ['kind']],
  ['fields of the same field selected twice', '{ tree { name } tree { age } }', ['age', 'name']],
])('sees %s', async (_what, text, expected) => {
  expect(await seenBy('tree', lookAhead('Tree', names), text)).toEqual(expected);
});

it('sees fields along several paths', async () => {
  const look = lookAhead('Tree', names, ['nodes'], ['edges', 'node']);
  const text = '{ forest { size nodes { name } edges { cursor node { ...f } } } } fragment f on Tree { age }';
  expect(await seenBy('forest', look, text)).toEqual(['age', 'name']);
});

it('omits selections on other types', async () => {
  const text = '{ plants { __typename ... on Tree { name } ... on Herb { smell } } }';
  expect(await seenBy('plants', lookAhead('Tree', names), text)).toEqual(['__typename', 'name']);
});

it('computes the value once for each field node of a repeated operation', async () => {
  let made = 0;
  const look = lookAhead('Tree', () => (made += 1));
  const document = parse('{ tree { name } }');
  const field = schema.getQueryType()?.getFields()['tree'];
  if (!field) throw new Error('the schema is another one');
  field.resolve = (_parent, _args, _context, info) => void look(info);
  for (let run = 0; run < 3; run++) await execute({ schema, document });
  expect(made).toBe(1);
});
