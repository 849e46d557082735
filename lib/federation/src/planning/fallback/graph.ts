import {
  type ConstDirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  Kind,
  parse,
  print,
  type SelectionSetNode,
  type TypeNode,
} from 'graphql';
import { rootName } from '../../supergraph/supergraph.js';
import { stringArgument } from '../../supergraph/directives.js';

/** Facts about a field in one subgraph. */
export interface FieldInGraph {
  readonly graph: string;
  readonly requires: SelectionSetNode | undefined;
  readonly provides: SelectionSetNode | undefined;
  readonly external: boolean;
  /** Type in this subgraph, if it is not the public one. */
  readonly type: string | undefined;
  /** Label of a progressive override, and whether this subgraph is the one that takes over. */
  readonly label: string | undefined;
  readonly takesOver: boolean;
}

/** A field of the supergraph. */
export interface GraphField {
  readonly name: string;
  readonly type: TypeNode;
  /** Undefined: in every subgraph of its type. Empty: only through interface objects. */
  readonly joins: readonly FieldInGraph[] | undefined;
}

/** Facts about a type in one subgraph. */
export interface TypeInGraph {
  readonly graph: string;
  readonly keys: SelectionSetNode[];
  readonly isInterfaceObject: boolean;
}

/** A type of the supergraph with fields or members. */
export interface GraphType {
  readonly name: string;
  readonly kind: 'object' | 'interface' | 'union';
  readonly fields: ReadonlyMap<string, GraphField>;
  readonly graphs: ReadonlyMap<string, TypeInGraph>;
  /** For objects: the interfaces it implements. */
  readonly interfaces: readonly string[];
  /** For abstract types: the object types that each subgraph may return. */
  readonly members: ReadonlyMap<string, readonly string[]>;
}

/** A supergraph from the planner's point of view. */
export interface SupergraphModel {
  readonly types: ReadonlyMap<string, GraphType>;
  /** Names of subgraphs by their name in the supergraph's enum. */
  readonly serviceNames: ReadonlyMap<string, string>;
  /** Names of the root types. */
  readonly roots: Readonly<Record<'query' | 'mutation' | 'subscription', string>>;
}

/** Reads the join directives of a supergraph. */
export function readModel(supergraph: DocumentNode): SupergraphModel {
  const types = new Map<string, GraphType>();
  const serviceNames = new Map<string, string>();
  for (const node of supergraph.definitions) {
    if (node.kind === Kind.ENUM_TYPE_DEFINITION && node.name.value === 'join__Graph') {
      for (const value of node.values ?? []) {
        const graph = directivesOf(value, 'join__graph')[0];
        serviceNames.set(value.name.value, (graph && stringArgument(graph, 'name')) ?? value.name.value);
      }
    } else if (node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.INTERFACE_TYPE_DEFINITION) {
      types.set(node.name.value, {
        name: node.name.value,
        kind: node.kind === Kind.OBJECT_TYPE_DEFINITION ? 'object' : 'interface',
        fields: new Map((node.fields ?? []).map((field) => [field.name.value, readField(field)])),
        graphs: readMemberships(node),
        interfaces: (node.interfaces ?? []).map(({ name }) => name.value),
        members: new Map(),
      });
    } else if (node.kind === Kind.UNION_TYPE_DEFINITION) {
      types.set(node.name.value, {
        name: node.name.value,
        kind: 'union',
        fields: new Map(),
        graphs: readMemberships(node),
        interfaces: [],
        members: readUnionMembers(node),
      });
    }
  }
  addImplementations(supergraph, types);
  const roots = {
    query: rootName(supergraph, 'query'),
    mutation: rootName(supergraph, 'mutation'),
    subscription: rootName(supergraph, 'subscription'),
  };
  return { types, serviceNames, roots };
}

type WithDirectives = { readonly directives?: readonly ConstDirectiveNode[] | undefined };

function directivesOf(node: WithDirectives, name: string): ConstDirectiveNode[] {
  return node.directives?.filter((directive) => directive.name.value === name) ?? [];
}

function flag(directive: ConstDirectiveNode, name: string): boolean | undefined {
  const value = directive.arguments?.find((argument) => argument.name.value === name)?.value;
  return value?.kind === Kind.BOOLEAN ? value.value : undefined;
}

function readMemberships(node: WithDirectives): Map<string, TypeInGraph> {
  const graphs = new Map<string, TypeInGraph>();
  for (const directive of directivesOf(node, 'join__type')) {
    const graph = stringArgument(directive, 'graph');
    if (graph === undefined) continue;
    const known = graphs.get(graph) ?? {
      graph,
      keys: [],
      isInterfaceObject: flag(directive, 'isInterfaceObject') ?? false,
    };
    const key = fieldSet(stringArgument(directive, 'key'));
    if (key && flag(directive, 'resolvable') !== false) known.keys.push(key);
    graphs.set(graph, known);
  }
  return graphs;
}

function readField(node: FieldDefinitionNode): GraphField {
  const directives = directivesOf(node, 'join__field');
  return {
    name: node.name.value,
    type: node.type,
    joins:
      directives.length === 0
        ? undefined
        : directives.flatMap((directive): FieldInGraph[] => {
            const graph = stringArgument(directive, 'graph');
            if (graph === undefined) return [];
            return [
              {
                graph,
                requires: fieldSet(stringArgument(directive, 'requires')),
                provides: fieldSet(stringArgument(directive, 'provides')),
                type: stringArgument(directive, 'type'),
                external: (flag(directive, 'external') ?? false) || isOverridden(directive),
                label: stringArgument(directive, 'overrideLabel'),
                takesOver: stringArgument(directive, 'override') !== undefined,
              },
            ];
          }),
  };
}

/** True if a field belongs permanently to its new owner: with a label, the label decides. */
function isOverridden(directive: ConstDirectiveNode): boolean {
  return (
    (flag(directive, 'usedOverridden') ?? false) && stringArgument(directive, 'overrideLabel') === undefined
  );
}

/** Parses a set of fields of `@key` or `@requires`. */
function fieldSet(text: string | undefined): SelectionSetNode | undefined {
  if (text === undefined) return undefined;
  const [operation] = parse(`{${text}}`, { noLocation: true }).definitions;
  return operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet : undefined;
}

function readUnionMembers(
  node: WithDirectives & { readonly types?: readonly { name: { value: string } }[] | undefined },
): Map<string, string[]> {
  const members = new Map<string, string[]>();
  for (const directive of directivesOf(node, 'join__unionMember')) {
    const graph = stringArgument(directive, 'graph');
    const member = stringArgument(directive, 'member');
    if (graph !== undefined && member !== undefined) push(members, graph, member);
  }
  if (members.size > 0) return members;
  for (const directive of directivesOf(node, 'join__type')) {
    const graph = stringArgument(directive, 'graph');
    if (graph !== undefined)
      members.set(
        graph,
        (node.types ?? []).map(({ name }) => name.value),
      );
  }
  return members;
}

/** Objects that implement an interface, by subgraph. */
function addImplementations(supergraph: DocumentNode, types: ReadonlyMap<string, GraphType>): void {
  for (const node of supergraph.definitions) {
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION) continue;
    for (const directive of directivesOf(node, 'join__implements')) {
      const graph = stringArgument(directive, 'graph');
      const type = types.get(stringArgument(directive, 'interface') ?? '');
      if (graph !== undefined && type) push(type.members as Map<string, string[]>, graph, node.name.value);
    }
  }
}

function push(map: Map<string, string[]>, key: string, value: string): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/** Name inside the wrappers of a type. */
export function namedTypeOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedTypeOf(type.type);
}

/** Number of lists around a type. */
export function listDepth(type: TypeNode): number {
  if (type.kind === Kind.NAMED_TYPE) return 0;
  return listDepth(type.type) + (type.kind === Kind.LIST_TYPE ? 1 : 0);
}

/**
 * The part of the type that two fields of one response key must share in a subgraph: the type for leaves, the
 * wrappers for objects. Undefined if the field is not known in the subgraph.
 */
export function shapeIn(
  model: SupergraphModel,
  graph: string,
  typeName: string,
  fieldName: string,
): string | undefined {
  const field = model.types.get(typeName)?.fields.get(fieldName);
  if (!field) return undefined;
  const own = field.joins?.find((join) => join.graph === graph)?.type ?? print(field.type);
  return model.types.has(namedTypeOf(field.type)) ? own.replace(/\w+/, '*') : own;
}
