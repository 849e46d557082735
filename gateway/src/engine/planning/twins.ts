import {
  type ConstArgumentNode,
  type ConstDirectiveNode,
  type DefinitionNode,
  type DirectiveNode,
  type DocumentNode,
  type EnumTypeDefinitionNode,
  type FieldDefinitionNode,
  type InterfaceTypeDefinitionNode,
  Kind,
  type ObjectTypeDefinitionNode,
  parse,
  print,
  type SelectionSetNode,
  type TypeDefinitionNode,
  visit,
} from 'graphql';
import { rootName } from '../supergraph.js';
import { stringArgument } from '../supergraph-directives.js';

// The planner cannot reach a `@requires` field of a subgraph by an entity hop that starts in that same subgraph
// ("Path … cannot be found in selection set"). It can when the field seems to live in another subgraph. So the
// supergraph is rewritten: each subgraph with such fields gets twins of the same address, and the `@requires` fields
// are theirs alone. Of entities a twin has only keys, external fields and `@requires` fields, so that the planner
// goes there for these only; two twins, because a hop may start in one. The price is a fetch more where the plain
// plan would have done, so such plans are made only where the plain one fails.

const twinSuffixes = ['__TWIN_1', '__TWIN_2'] as const;
/** What a twin's name ends with; {@link serviceOfTwin} takes it off. */
const twinName = /#twin__TWIN_\d$/;

/** The subgraph that a service name of a plan means. */
export function serviceOfTwin(serviceName: string): string {
  return serviceName.replace(twinName, '');
}

/** The supergraph with twins, or undefined if no subgraph has `@requires` fields. */
export function withTwins(supergraphSdl: string): string | undefined {
  const supergraph = parse(supergraphSdl, { noLocation: true });
  const graphs = graphsWithRequires(supergraph);
  if (graphs.size === 0) return undefined;
  const roots = new Set(
    (['query', 'mutation', 'subscription'] as const).map((operation) => rootName(supergraph, operation)),
  );
  const definitions = supergraph.definitions.map((node): DefinitionNode => {
    if (node.kind === Kind.ENUM_TYPE_DEFINITION && node.name.value === 'join__Graph') return twinGraphs(node, graphs);
    if (!('name' in node) || !node.name || roots.has(node.name.value)) return node;
    if (node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.INTERFACE_TYPE_DEFINITION) {
      return twinFields(node, graphs);
    }
    return twinEverything(node, graphs);
  });
  return print({ kind: Kind.DOCUMENT, definitions });
}

function graphsWithRequires(supergraph: DocumentNode): Set<string> {
  const graphs = new Set<string>();
  visit(supergraph, {
    Directive(node) {
      if (node.name.value !== 'join__field' || !hasArgument(node, 'requires')) return;
      const graph = graphOf(node);
      if (graph) graphs.add(graph);
    },
  });
  return graphs;
}

function twinGraphs(node: EnumTypeDefinitionNode, graphs: ReadonlySet<string>): EnumTypeDefinitionNode {
  const values = node.values ?? [];
  const twins = values
    .filter(({ name }) => graphs.has(name.value))
    .flatMap((value) =>
      twinSuffixes.map((suffix) => ({
        ...value,
        name: { ...value.name, value: value.name.value + suffix },
        directives: value.directives?.map((directive) =>
          withString(directive, 'name', (name) => `${name}#twin${suffix}`),
        ),
      })),
    );
  return { ...node, values: [...values, ...twins] };
}

/** Unions, enums, inputs and scalars are the same in the twins. */
function twinEverything(node: DefinitionNode, graphs: ReadonlySet<string>): DefinitionNode {
  return visit(node, {
    leave(child) {
      if (!('directives' in child) || !child.directives || child.directives.length === 0) return undefined;
      const directives = child.directives as readonly ConstDirectiveNode[];
      return { ...child, directives: directives.flatMap((directive) => [directive, ...twinsOf(directive, graphs)]) };
    },
  }) as DefinitionNode;
}

type FieldsType = ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode;

function twinFields(node: FieldsType, graphs: ReadonlySet<string>): TypeDefinitionNode {
  const directives = node.directives ?? [];
  const memberships = directives.filter(({ name }) => name.value === 'join__type');
  const owners = [...new Set(memberships.flatMap((directive) => graphOf(directive) ?? []))];
  const keys = new Map(owners.map((graph) => [graph, keyFields(memberships, graph)]));
  const twinned = owners.some((graph) => graphs.has(graph));
  if (!twinned) return node;
  return {
    ...node,
    directives: directives.flatMap((directive) => [directive, ...twinsOf(directive, graphs)]),
    fields: node.fields?.map((field) => twinField(explicit(field, owners), graphs, keys)),
  };
}

/** The fields of a type's keys in a graph; undefined if it is no entity there. */
function keyFields(memberships: readonly ConstDirectiveNode[], graph: string): ReadonlySet<string> | undefined {
  const keys = memberships
    .filter((directive) => graphOf(directive) === graph)
    .flatMap((directive) => stringArgument(directive, 'key') ?? []);
  if (keys.length === 0) return undefined;
  return new Set(keys.flatMap(topLevelFields));
}

function topLevelFields(fieldSet: string): string[] {
  const [operation] = parse(`{${fieldSet}}`, { noLocation: true }).definitions;
  const set: SelectionSetNode | undefined =
    operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet : undefined;
  return set?.selections.flatMap((selection) => (selection.kind === Kind.FIELD ? [selection.name.value] : [])) ?? [];
}

/** A field that does not say where it lives is in every graph of its type: said in full, so that twins can differ. */
function explicit(field: FieldDefinitionNode, owners: readonly string[]): FieldDefinitionNode {
  if (field.directives?.some(({ name }) => name.value === 'join__field')) return field;
  return { ...field, directives: [...(field.directives ?? []), ...owners.map(joinField)] };
}

function joinField(graph: string): ConstDirectiveNode {
  const argument: ConstArgumentNode = {
    kind: Kind.ARGUMENT,
    name: { kind: Kind.NAME, value: 'graph' },
    value: { kind: Kind.ENUM, value: graph },
  };
  return { kind: Kind.DIRECTIVE, name: { kind: Kind.NAME, value: 'join__field' }, arguments: [argument] };
}

function twinField(
  field: FieldDefinitionNode,
  graphs: ReadonlySet<string>,
  keys: ReadonlyMap<string, ReadonlySet<string> | undefined>,
): FieldDefinitionNode {
  const directives = (field.directives ?? []).flatMap((directive): ConstDirectiveNode[] => {
    if (directive.name.value !== 'join__field') return [directive];
    const twins = twinsOf(directive, graphs);
    if (hasArgument(directive, 'requires')) return twins;
    const graph = graphOf(directive);
    const keysHere = graph === undefined ? undefined : keys.get(graph);
    const wanted = !keysHere || keysHere.has(field.name.value) || hasArgument(directive, 'external');
    return wanted ? [directive, ...twins] : [directive];
  });
  return { ...field, directives };
}

/** The same directive for each twin of its graph. An override is the original's business and left out. */
function twinsOf(directive: ConstDirectiveNode, graphs: ReadonlySet<string>): ConstDirectiveNode[] {
  const graph = directive.name.value.startsWith('join__') ? graphOf(directive) : undefined;
  if (graph === undefined || !graphs.has(graph)) return [];
  const { arguments: given } = directive;
  const kept = given?.filter(({ name }) => name.value !== 'override' && name.value !== 'overrideLabel');
  return twinSuffixes.map((suffix) =>
    withString({ ...directive, arguments: kept }, 'graph', (name) => name + suffix),
  );
}

function hasArgument(node: DirectiveNode, argument: string): boolean {
  return node.arguments?.some(({ name }) => name.value === argument) ?? false;
}

function graphOf(node: DirectiveNode): string | undefined {
  return stringArgument(node as ConstDirectiveNode, 'graph');
}

function withString(
  directive: ConstDirectiveNode,
  name: string,
  change: (old: string) => string,
): ConstDirectiveNode {
  return {
    ...directive,
    arguments: directive.arguments?.map((argument): ConstArgumentNode => {
      const { value } = argument;
      if (argument.name.value !== name || (value.kind !== Kind.ENUM && value.kind !== Kind.STRING)) return argument;
      return { ...argument, value: { ...value, value: change(value.value) } };
    }),
  };
}
