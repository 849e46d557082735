import {
  buildASTSchema,
  type DocumentNode,
  execute,
  extendSchema,
  type GraphQLFieldResolver,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  isInterfaceType,
  isObjectType,
  Kind,
  parse,
  print,
  specifiedRules,
  subscribe,
  validate,
  ValuesOfCorrectTypeRule,
} from 'graphql';
import type { InProcessSubgraph, SubgraphCall, SubgraphResult } from '@rhizome/subgraph';

/** Context of the resolvers of a test's subgraph. */
export interface TestContext {
  readonly requestId: string;
  readonly signal: AbortSignal | undefined;
}

type AnyResolver = GraphQLFieldResolver<unknown, unknown>;
type TypeResolvers = Readonly<Record<string, unknown>>;

/** A subgraph as a test writes it: federation SDL and resolvers. */
export interface TestSubgraphInit {
  readonly name: string;
  /** SDL without the `@link` line, which is added before it. */
  readonly sdl: string;
  /**
   * By type and field; `__resolveReference` finds entities (default: the representation itself),
   * `__resolveType` the type of an abstract value (default: its `__typename`). Subscription fields return
   * async iterables, or are pairs of `subscribe` and `resolve`.
   */
  readonly resolvers?: Readonly<Record<string, TypeResolvers>>;
}

/** A call that a subgraph has served. */
export interface ServedCall {
  readonly text: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/**
 * A real subgraph on graphql-js: it validates the operations it receives, so that mistakes in plans are
 * detected.
 */
export interface TestSubgraph extends InProcessSubgraph {
  readonly schema: GraphQLSchema;
  /** All calls it received, in order. */
  readonly calls: ServedCall[];
}

const directives = [
  '@key',
  '@requires',
  '@provides',
  '@external',
  '@shareable',
  '@override',
  '@inaccessible',
  '@interfaceObject',
  '@tag',
  '@extends',
  '@composeDirective',
];
const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.7", import: ${JSON.stringify(directives)})\n`;
const machinery = `
  scalar _Any
  type _Service { sdl: String! }
`;

/** Builds a subgraph for tests. */
export function testSubgraph({ name, sdl, resolvers = {} }: TestSubgraphInit): TestSubgraph {
  const schema = buildSchemaOf(sdl);
  attach(schema, resolvers);
  const calls: ServedCall[] = [];
  const checked = new WeakMap<DocumentNode, SubgraphResult | undefined>();
  const check = (call: SubgraphCall): SubgraphResult | undefined => {
    calls.push({ text: print(call.document), variables: call.variables ?? {} });
    if (!checked.has(call.document)) checked.set(call.document, faultsOf(schema, call.document));
    return checked.get(call.document);
  };
  const argsOf = (call: SubgraphCall): Parameters<typeof execute>[0] => ({
    schema,
    document: call.document,
    variableValues: call.variables,
    operationName: call.operationName,
    contextValue: { requestId: call.requestId, signal: call.signal } satisfies TestContext,
  });
  return {
    name,
    sdl: sdl.includes('@link(') ? sdl : link + sdl,
    schema,
    calls,
    execute: async (call) => check(call) ?? toResult(await execute(argsOf(call))),
    subscribe: async function* (call) {
      const fault = check(call);
      if (fault) {
        yield fault;
        return;
      }
      const stream = await subscribe(argsOf(call));
      if (!(Symbol.asyncIterator in stream)) {
        yield toResult(stream);
        return;
      }
      for await (const event of stream) yield toResult(event);
    },
  };
}

function toResult({ data, errors }: Awaited<ReturnType<typeof execute>>): SubgraphResult {
  return {
    ...(data === undefined ? {} : { data }),
    ...(errors ? { errors: errors.map((error) => error.toJSON()) } : {}),
  };
}

/**
 * The public schema cannot check values of `_Any`, and plans sometimes leave the variables of conditions
 * unused.
 */
const rules = specifiedRules.filter((rule) => rule !== ValuesOfCorrectTypeRule);

function faultsOf(schema: GraphQLSchema, document: DocumentNode): SubgraphResult | undefined {
  const faults = validate(schema, document, rules);
  if (faults.length === 0) return undefined;
  return {
    errors: faults.map((fault) => ({
      message: fault.message,
      extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
    })),
  };
}

function buildSchemaOf(sdl: string): GraphQLSchema {
  const document = parse(sdl);
  const definitions = document.definitions.filter(
    (node) => node.kind !== Kind.SCHEMA_EXTENSION && node.kind !== Kind.DIRECTIVE_DEFINITION,
  );
  const own: DocumentNode = { kind: Kind.DOCUMENT, definitions };
  const hasQuery = definitions.some(
    (node) => node.kind === Kind.OBJECT_TYPE_DEFINITION && node.name.value === 'Query',
  );
  const entities = definitions.flatMap((node) =>
    (node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.OBJECT_TYPE_EXTENSION) &&
    node.directives?.some((directive) => directive.name.value === 'key')
      ? [node.name.value]
      : [],
  );
  const base = parse(machinery + (hasQuery ? '' : 'type Query'));
  let schema = buildASTSchema(
    { kind: Kind.DOCUMENT, definitions: [...base.definitions, ...own.definitions] },
    { assumeValid: true, assumeValidSDL: true },
  );
  schema = extendSchema(schema, own, { assumeValid: true, assumeValidSDL: true });
  const union = [...new Set(entities)].join(' | ');
  const rootFields = union
    ? `union _Entity = ${union} extend type Query { _service: _Service! _entities(representations: [_Any!]!): [_Entity]! }`
    : 'extend type Query { _service: _Service! }';
  return extendSchema(schema, parse(rootFields), { assumeValid: true, assumeValidSDL: true });
}

function attach(schema: GraphQLSchema, resolvers: NonNullable<TestSubgraphInit['resolvers']>): void {
  for (const [typeName, map] of Object.entries(resolvers)) {
    const type = schema.getType(typeName);
    for (const [fieldName, resolve] of Object.entries(map)) {
      if (fieldName.startsWith('__')) continue;
      const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[fieldName] : undefined;
      if (!field)
        throw new Error(`the test subgraph has a resolver for ${typeName}.${fieldName} but no such field`);
      if (typeName === 'Subscription') {
        const pair = resolve as { subscribe?: AnyResolver; resolve?: AnyResolver };
        field.subscribe = pair.subscribe ?? (resolve as AnyResolver);
        field.resolve = pair.resolve ?? ((event: unknown) => event);
      } else {
        field.resolve = resolve as AnyResolver;
      }
    }
  }
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isAbstractType(type)) continue;
    const own = resolvers[type.name]?.['__resolveType'] as ((value: unknown) => string) | undefined;
    type.resolveType = own ?? ((value: { __typename?: string }) => value.__typename);
  }
  const query = schema.getQueryType();
  attachEntities(schema, query, resolvers);
}

interface Representation {
  readonly __typename: string;
}

function attachEntities(
  schema: GraphQLSchema,
  query: GraphQLObjectType | null | undefined,
  resolvers: NonNullable<TestSubgraphInit['resolvers']>,
): void {
  const field = query?.getFields()['_entities'];
  if (!field) return;
  field.resolve = (_source, args: { representations: readonly Representation[] }, context) =>
    args.representations.map(async (representation) => {
      const { __typename: typename } = representation;
      if (!schema.getType(typename)) throw new Error(`unknown entity type ${typename}`);
      const resolve = resolvers[typename]?.['__resolveReference'] as
        ((representation: Representation, context: unknown) => unknown) | undefined;
      const found = resolve ? await resolve(representation, context) : representation;
      if (typeof found !== 'object' || found === null) return null;
      return '__typename' in found ? found : { ...found, __typename: typename };
    });
}
