import {
  type DefinitionNode,
  getNamedType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  isInputObjectType,
  isIntrospectionType,
  isInterfaceType,
  isObjectType,
  isSpecifiedScalarType,
  isUnionType,
  Kind,
  type ObjectTypeDefinitionNode,
  type OperationTypeDefinitionNode,
} from 'graphql';
import { buildFromNodes } from './build-schema.js';

/** The tags of root fields, by `Type.field`. */
export type RootFieldTags = Readonly<Record<string, readonly string[]>>;

/**
 * Builds the schema without the root fields that have one of the given tags, and without the types that only
 * those fields reach. A type that such a field names is not kept by an interface alone: `node` returns every
 * `Node`.
 */
export function buildUntaggedView(
  schema: GraphQLSchema,
  tags: RootFieldTags,
  left: ReadonlySet<string>,
): Promise<GraphQLSchema> {
  const isLeftOut = (type: string, field: string): boolean =>
    tags[`${type}.${field}`]?.some((tag) => left.has(tag)) ?? false;
  const kept = keptTypes(schema, isLeftOut);
  return buildFromNodes(definitionsOf(schema).flatMap((node) => keptPart(node, kept, isLeftOut)));
}

type IsLeftOut = (type: string, field: string) => boolean;

/** Names of the types that stay in the view. */
function keptTypes(schema: GraphQLSchema, isLeftOut: IsLeftOut): ReadonlySet<string> {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].filter(
    isObjectType,
  );
  const typesOf = (areLeftOut: boolean): readonly GraphQLNamedType[] =>
    roots.flatMap((root) =>
      Object.values(root.getFields())
        .filter(({ name }) => isLeftOut(root.name, name) === areLeftOut)
        .flatMap(typesOfField),
    );
  const shown = typesOf(false);
  const hidden = typesOf(true);
  const members = (type: GraphQLNamedType): readonly GraphQLNamedType[] =>
    isInterfaceType(type) ? schema.getPossibleTypes(type) : [];
  const namedByShown = reach(shown, () => []);
  const namedByHidden = reach(hidden, () => []);
  const isHidden = (type: GraphQLNamedType): boolean => namedByHidden.has(type) && !namedByShown.has(type);
  const kept = reach(shown, (type) => members(type).filter((member) => !isHidden(member)));
  const behindHidden = reach(hidden, members);
  const isKept = (type: GraphQLNamedType): boolean => {
    if (isObjectType(type) && roots.includes(type))
      return Object.keys(type.getFields()).some((field) => !isLeftOut(type.name, field));
    // What no root field reaches stays as it is.
    return kept.has(type) || !behindHidden.has(type);
  };
  return new Set(
    Object.values(schema.getTypeMap())
      .filter(isKept)
      .map(({ name }) => name),
  );
}

/** All types that are reached from the given ones; `membersOf` says which types an interface adds. */
function reach(
  from: readonly GraphQLNamedType[],
  membersOf: (type: GraphQLNamedType) => readonly GraphQLNamedType[],
): ReadonlySet<GraphQLNamedType> {
  const seen = new Set<GraphQLNamedType>();
  const pending = [...from];
  for (let type = pending.pop(); type; type = pending.pop()) {
    if (seen.has(type)) continue;
    seen.add(type);
    pending.push(...neighboursOf(type), ...membersOf(type));
  }
  return seen;
}

function neighboursOf(type: GraphQLNamedType): readonly GraphQLNamedType[] {
  if (isUnionType(type)) return type.getTypes();
  if (isInputObjectType(type))
    return Object.values(type.getFields()).map((field) => getNamedType(field.type));
  if (!isObjectType(type) && !isInterfaceType(type)) return [];
  return [...type.getInterfaces(), ...Object.values(type.getFields()).flatMap(typesOfField)];
}

function typesOfField(field: GraphQLField<unknown, unknown>): readonly GraphQLNamedType[] {
  return [getNamedType(field.type), ...field.args.map((argument) => getNamedType(argument.type))];
}

/** The definitions of which a schema was built. */
function definitionsOf(schema: GraphQLSchema): readonly DefinitionNode[] {
  const types = Object.values(schema.getTypeMap()).filter(
    (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
  );
  const parts = [schema, ...schema.getDirectives(), ...types];
  return parts.flatMap(({ astNode }) => (astNode ? [astNode] : []));
}

function keptPart(node: DefinitionNode, kept: ReadonlySet<string>, isLeftOut: IsLeftOut): DefinitionNode[] {
  const isKept = ({ type }: OperationTypeDefinitionNode): boolean => kept.has(type.name.value);
  if (node.kind === Kind.SCHEMA_DEFINITION)
    return [{ ...node, operationTypes: node.operationTypes.filter(isKept) }];
  if (node.kind === Kind.DIRECTIVE_DEFINITION) return [node];
  if (!('name' in node) || !node.name || !kept.has(node.name.value)) return [];
  return [node.kind === Kind.OBJECT_TYPE_DEFINITION ? withoutFields(node, isLeftOut) : node];
}

function withoutFields(node: ObjectTypeDefinitionNode, isLeftOut: IsLeftOut): ObjectTypeDefinitionNode {
  const fields = node.fields ?? [];
  return { ...node, fields: fields.filter(({ name }) => !isLeftOut(node.name.value, name.value)) };
}
