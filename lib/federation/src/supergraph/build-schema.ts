import {
  type DefinitionNode,
  type GraphQLNamedType,
  GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isUnionType,
  Kind,
  parse,
  specifiedDirectives,
} from 'graphql';
import { extendSchemaImpl } from 'graphql/utilities/extendSchema.js';
import { SteppedWork, yieldToEventLoop } from '../engine/event-loop-queue.js';

/** Time in milliseconds after which building yields to the event loop. */
const turnMs = 1;

/** Source of a schema: its definitions by their texts, in order. */
type Parts = ReadonlyMap<string, readonly DefinitionNode[]>;

const partsOf = new WeakMap<GraphQLSchema, Parts>();
/**
 * The last schema that was built, while it is in use: the next version of a supergraph differs little from
 * it.
 */
let latest: WeakRef<GraphQLSchema> | undefined;

/**
 * Builds a schema from its definitions as text. A large one would block the event loop for tens of
 * milliseconds when a supergraph is replaced, so it is built in slices, and definitions that did not change
 * since the last one are not parsed again. The text must be valid.
 */
export async function buildInTurns(definitions: readonly string[]): Promise<GraphQLSchema> {
  const work = new SteppedWork(turnMs);
  const before = latest?.deref();
  const known = before && partsOf.get(before);
  if (before && known && isSame(known, definitions)) return before;
  const parts = new Map<string, readonly DefinitionNode[]>();
  for (const text of definitions) {
    parts.set(text, known?.get(text) ?? parse(text, { noLocation: true }).definitions);
    await work.step();
  }
  const schema = await assemble([...parts.values()].flat(), work);
  partsOf.set(schema, parts);
  latest = new WeakRef(schema);
  return schema;
}

/**
 * Builds a schema from parsed definitions in small turns of the event loop. The definitions must be valid.
 */
export function buildFromNodes(nodes: readonly DefinitionNode[]): Promise<GraphQLSchema> {
  return assemble(nodes, new SteppedWork(turnMs));
}

function isSame(parts: Parts, definitions: readonly string[]): boolean {
  if (parts.size !== definitions.length) return false;
  let at = 0;
  for (const text of parts.keys()) if (text !== definitions[at++]) return false;
  return true;
}

async function assemble(nodes: readonly DefinitionNode[], work: SteppedWork): Promise<GraphQLSchema> {
  const empty = new GraphQLSchema({}).toConfig();
  const document = { kind: Kind.DOCUMENT, definitions: nodes } as const;
  await yieldToEventLoop();
  const config = extendSchemaImpl({ ...empty, types: [], directives: [] }, document, { assumeValid: true });
  for (const type of config.types) {
    resolveThunks(type);
    await work.step();
  }
  const root = (name: string) => config.types.filter(isObjectType).find((type) => type.name === name);
  const hasDefinition = nodes.some(({ kind }) => kind === Kind.SCHEMA_DEFINITION);
  const given = new Set(config.directives.map(({ name }) => name));
  await yieldToEventLoop();
  return new GraphQLSchema({
    ...config,
    ...(hasDefinition
      ? {}
      : { query: root('Query'), mutation: root('Mutation'), subscription: root('Subscription') }),
    directives: [...config.directives, ...specifiedDirectives.filter(({ name }) => !given.has(name))],
    assumeValid: true,
  });
}

/** Work that a schema's constructor would do for all types at once. */
function resolveThunks(type: GraphQLNamedType): void {
  if (isObjectType(type) || isInterfaceType(type)) {
    type.getFields();
    type.getInterfaces();
  } else if (isInputObjectType(type)) {
    type.getFields();
  } else if (isUnionType(type)) {
    type.getTypes();
  } else if (isEnumType(type)) {
    type.getValues();
  }
}
