import { expect, it } from '@jest/globals';
import { createPrincipal } from '@rhizome/authz';
import { createLogger, silentLogger } from '@rhizome/log';
import { buildSchema, type GraphQLObjectType, type GraphQLSchema, parse } from 'graphql';
import { settleResolvers } from './compilable.js';
import { buildDemoSubgraph } from '../testing/demo-subgraph.fixture.js';
import { createInProcess } from '../execution/in-process.js';
import { LoaderCache } from '../context/loaders.js';

const principal = createPrincipal({
  kind: 'HUMAN',
  subject: 'somebody',
  grants: [],
  expiresAt: new Date('2099-01-01T00:00:00Z'),
});

/** A schema whose values have methods, which graphql-js calls. */
function methodsSchema(): GraphQLSchema {
  const schema = buildSchema('type Query { box: Box! } type Box { size: Int! }');
  const query = schema.getQueryType() as GraphQLObjectType;
  const { box } = query.getFields();
  if (box) box.resolve = () => ({ size: () => 7 });
  return schema;
}

function made(schema: GraphQLSchema, lines: string[] = []) {
  const subgraph = {
    name: 'boxes',
    sdl: '',
    schema,
    entryPoints: [],
    createContext: (init: object) => ({ ...init, loaders: new LoaderCache() }) as never,
  };
  const log = createLogger({ name: 'test', destination: { write: (line: string) => void lines.push(line) } });
  const executable = createInProcess({ subgraph, log, mode: 'jit', interpretFirst: 0 });
  const run = () => executable.execute({ document: parse('{ box { size } }'), principal, requestId: 'r' });
  return { executable, run };
}

it('interprets a schema that compiled code would read differently and logs the reason', async () => {
  const lines: string[] = [];
  const { executable, run } = made(methodsSchema(), lines);
  expect(executable.mode).toBe('interpreted');
  expect(await run()).toEqual({ data: { box: { size: 7 } } });
  expect(lines.join('')).toContain('Box.size has no resolver of its own');
});

it('compiles the same schema once its fields have resolvers and returns the same answer', async () => {
  const schema = methodsSchema();
  settleResolvers(schema);
  const { executable, run } = made(schema);
  expect(executable.mode).toBe('jit');
  expect(await run()).toEqual({ data: { box: { size: 7 } } });
});

it('interprets a schema with an asynchronous type resolver', () => {
  const schema = buildSchema('type Query { any: Any } union Any = A | B type A { a: Int } type B { b: Int }');
  settleResolvers(schema);
  const union = schema.getType('Any') as unknown as { resolveType: unknown };
  union.resolveType = async () => 'A';
  expect(made(schema).executable.mode).toBe('interpreted');
});

it('compiles every schema of buildSubgraph', () => {
  const { subgraph } = buildDemoSubgraph();
  expect(createInProcess({ subgraph, log: silentLogger() }).mode).toBe('jit');
});
