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
import { SteppedWork, turns } from './turns.js';

/** Milliseconds that building works before it lets others in. */
const turnMs = 1;

/**
 * Builds a schema from its definitions as text. A large one would hold up everything else for tens of milliseconds when
 * a supergraph is swapped in, so it is built in small turns of the event loop. The text must be valid.
 */
export async function buildInTurns(definitions: readonly string[]): Promise<GraphQLSchema> {
  const work = new SteppedWork(turnMs);
  const nodes: DefinitionNode[] = [];
  for (const text of definitions) {
    nodes.push(...parse(text, { noLocation: true }).definitions);
    await work.step();
  }
  const empty = new GraphQLSchema({}).toConfig();
  const document = { kind: Kind.DOCUMENT, definitions: nodes } as const;
  await turns.next();
  const config = extendSchemaImpl({ ...empty, types: [], directives: [] }, document, { assumeValid: true });
  for (const type of config.types) {
    resolveThunks(type);
    await work.step();
  }
  const root = (name: string) => config.types.filter(isObjectType).find((type) => type.name === name);
  const hasDefinition = nodes.some(({ kind }) => kind === Kind.SCHEMA_DEFINITION);
  const given = new Set(config.directives.map(({ name }) => name));
  await turns.next();
  return new GraphQLSchema({
    ...config,
    ...(hasDefinition
      ? {}
      : { query: root('Query'), mutation: root('Mutation'), subscription: root('Subscription') }),
    directives: [...config.directives, ...specifiedDirectives.filter(({ name }) => !given.has(name))],
    assumeValid: true,
  });
}

/** What a schema's constructor would make all types do at once. */
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
