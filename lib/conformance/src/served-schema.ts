import {
  buildASTSchema,
  type ConstDirectiveNode,
  type DefinitionNode,
  type DocumentNode,
  getNamedType,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLSchema,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  Kind,
  parse,
} from 'graphql';
import { CheckFailed } from './types.js';

/** A root field, and the smallest operation that calls it. */
export interface RootField {
  readonly operation: 'query' | 'mutation' | 'subscription';
  readonly name: string;
  /** The document; variables are written into it. */
  readonly query: string;
}

/** Parsed schema that a subgraph serves. */
export interface ServedSchema {
  readonly sdl: string;
  readonly schema: GraphQLSchema;
  readonly roots: readonly RootField[];
  /** Types with a key that the subgraph answers for (not `resolvable: false`). */
  readonly entities: readonly string[];
  /** By subscription field: the argument that takes the cursor, and the payload's field that carries it. */
  readonly resumable: ReadonlyMap<string, { readonly argument: string; readonly cursor: string }>;
}

const machinery = new Set(['_service', '_entities']);

/**
 * Parses an SDL as a subgraph serves it: extensions without a definition count as definitions. @throws
 * CheckFailed
 */
export function readServedSchema(sdl: string): ServedSchema {
  let document: DocumentNode;
  let schema: GraphQLSchema;
  try {
    document = parse(sdl);
    schema = buildASTSchema(withDefinitions(document), { assumeValidSDL: true });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CheckFailed(
      `the SDL cannot be parsed: ${why}`,
      'serve the SDL of the subgraph in `_service { sdl }`',
    );
  }
  return {
    sdl,
    schema,
    roots: rootsOf(schema),
    entities: entitiesOf(document),
    resumable: resumableOf(document),
  };
}

/** The first lines by which two texts differ. */
export function firstDifference(left: string, right: string): string {
  const [lefts, rights] = [left.split('\n'), right.split('\n')];
  const at = lefts.findIndex((line, index) => line !== rights[index]);
  const place = at < 0 ? lefts.length : at;
  return `${JSON.stringify(lefts[place] ?? '(nothing more)')} against ${JSON.stringify(rights[place] ?? '(nothing more)')}`;
}

/** GraphQL text of a value that a type takes: the smallest one. */
function smallestValue(type: GraphQLInputType, depth = 0): string {
  if (isNonNullType(type)) return smallestValue(type.ofType, depth);
  if (isListType(type)) return '[]';
  if (isEnumType(type)) return type.getValues()[0]?.name ?? 'null';
  if (isInputObjectType(type)) {
    if (depth > 8) return '{}';
    const required = Object.values(type.getFields()).filter(
      (field) => isNonNullType(field.type) && field.defaultValue === undefined,
    );
    return `{${required.map((field) => `${field.name}: ${smallestValue(field.type, depth + 1)}`).join(', ')}}`;
  }
  if (type.name === 'Int' || type.name === 'Float' || type.name === 'SafeInt') return '1';
  if (type.name === 'Boolean') return 'true';
  if (type.name === 'DateTime') return '"2030-05-17T08:30:00.000Z"';
  return '"x"';
}

function rootsOf(schema: GraphQLSchema): readonly RootField[] {
  const types = [
    ['query', schema.getQueryType()],
    ['mutation', schema.getMutationType()],
    ['subscription', schema.getSubscriptionType()],
  ] as const;
  return types.flatMap(([operation, type]) =>
    Object.values(type?.getFields() ?? {})
      .filter(({ name }) => !machinery.has(name))
      .map((field) => ({ operation, name: field.name, query: operationOn(operation, field) })),
  );
}

function operationOn(operation: string, field: GraphQLField<unknown, unknown>): string {
  const given = field.args.filter(isRequired).map((one) => `${one.name}: ${smallestValue(one.type)}`);
  const selection = isCompositeType(getNamedType(field.type)) ? ' { __typename }' : '';
  return `${operation} { ${field.name}${given.length > 0 ? `(${given.join(', ')})` : ''}${selection} }`;
}

function isRequired({ type, defaultValue }: GraphQLArgument): boolean {
  return isNonNullType(type) && defaultValue === undefined;
}

const extensionKinds: Readonly<Record<string, Kind>> = {
  [Kind.OBJECT_TYPE_EXTENSION]: Kind.OBJECT_TYPE_DEFINITION,
  [Kind.INTERFACE_TYPE_EXTENSION]: Kind.INTERFACE_TYPE_DEFINITION,
  [Kind.ENUM_TYPE_EXTENSION]: Kind.ENUM_TYPE_DEFINITION,
  [Kind.UNION_TYPE_EXTENSION]: Kind.UNION_TYPE_DEFINITION,
  [Kind.INPUT_OBJECT_TYPE_EXTENSION]: Kind.INPUT_OBJECT_TYPE_DEFINITION,
  [Kind.SCALAR_TYPE_EXTENSION]: Kind.SCALAR_TYPE_DEFINITION,
};

function nameOf(definition: DefinitionNode): string {
  return 'name' in definition ? (definition.name?.value ?? '') : '';
}

function withDefinitions(document: DocumentNode): DocumentNode {
  const kept = document.definitions.filter(
    ({ kind }) => kind !== Kind.SCHEMA_EXTENSION && kind !== Kind.DIRECTIVE_DEFINITION,
  );
  const defined = new Set(kept.filter(({ kind }) => !(kind in extensionKinds)).map(nameOf));
  const definitions = kept.map((definition) => {
    const kind = extensionKinds[definition.kind];
    if (kind === undefined || defined.has(nameOf(definition))) return definition;
    defined.add(nameOf(definition));
    return { ...definition, kind } as DefinitionNode;
  });
  return { ...document, definitions };
}

function entitiesOf(document: DocumentNode): readonly string[] {
  const found = document.definitions.filter((definition) =>
    directivesOf(definition).some(
      (one) =>
        one.name.value === 'key' &&
        !one.arguments?.some(
          ({ name, value }) => name.value === 'resolvable' && value.kind === Kind.BOOLEAN && !value.value,
        ),
    ),
  );
  return [...new Set(found.filter(({ kind }) => kind.startsWith('ObjectType')).map(nameOf))];
}

function resumableOf(document: DocumentNode): ServedSchema['resumable'] {
  const found = new Map<string, { argument: string; cursor: string }>();
  for (const definition of document.definitions) {
    if (nameOf(definition) !== 'Subscription' || !('fields' in definition)) continue;
    for (const field of definition.fields ?? []) {
      const mark = field.directives?.find((one) => one.name.value === 'resumable');
      if (mark)
        found.set(field.name.value, { argument: text(mark, 'argument'), cursor: text(mark, 'cursor') });
    }
  }
  return found;
}

function text(directive: ConstDirectiveNode, name: string): string {
  const value = directive.arguments?.find((one) => one.name.value === name)?.value;
  return value?.kind === Kind.STRING ? value.value : '';
}

function directivesOf(definition: DefinitionNode): readonly ConstDirectiveNode[] {
  return 'directives' in definition ? ((definition.directives ?? []) as readonly ConstDirectiveNode[]) : [];
}
