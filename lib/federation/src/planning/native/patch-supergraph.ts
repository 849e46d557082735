import {
  type ConstArgumentNode,
  type ConstDirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type InterfaceTypeDefinitionNode,
  Kind,
  parse,
  print,
} from 'graphql';
import { stringArgument } from '../../supergraph/directives.js';

/** A supergraph as text and parsed, since parsing a large one takes time. */
export interface ParsedSupergraph {
  readonly text: string;
  readonly document: DocumentNode;
}

/**
 * Corrects an error of composition in a supergraph: it does not mark the external fields of an interface
 * object, so a planner fetches them from the subgraph that needs them. A field that the subgraph requires is
 * external there.
 */
export function patchSupergraph(supergraphSdl: string): ParsedSupergraph {
  const supergraph = parse(supergraphSdl, { noLocation: true });
  let isChanged = false;
  const definitions = supergraph.definitions.map((node) => {
    if (node.kind !== Kind.INTERFACE_TYPE_DEFINITION) return node;
    const mended = patchInterface(node);
    if (mended !== node) isChanged = true;
    return mended;
  });
  if (!isChanged) return { text: supergraphSdl, document: supergraph };
  const document: DocumentNode = { kind: Kind.DOCUMENT, definitions };
  return { text: print(document), document };
}

function patchInterface(node: InterfaceTypeDefinitionNode): InterfaceTypeDefinitionNode {
  const memberships = directivesOf(node, 'join__type');
  const graphs = [...new Set(memberships.flatMap((directive) => stringArgument(directive, 'graph') ?? []))];
  const objects = memberships.filter((directive) => isTrue(directive, 'isInterfaceObject'));
  const external = new Map<string, Set<string>>();
  for (const directive of objects) {
    const graph = stringArgument(directive, 'graph');
    if (graph === undefined) continue;
    for (const name of requiredIn(node, graph))
      external.set(name, new Set([...(external.get(name) ?? []), graph]));
  }
  if (external.size === 0) return node;
  let isChanged = false;
  const fields = node.fields?.map((field) => {
    const without = external.get(field.name.value);
    if (!without || directivesOf(field, 'join__field').length > 0) return field;
    isChanged = true;
    return withJoins(field, graphs, without);
  });
  return isChanged ? { ...node, fields } : node;
}

function requiredIn(node: InterfaceTypeDefinitionNode, graph: string): string[] {
  return (node.fields ?? []).flatMap((field) =>
    directivesOf(field, 'join__field')
      .filter((directive) => stringArgument(directive, 'graph') === graph)
      .flatMap((directive) => topLevelNames(stringArgument(directive, 'requires'))),
  );
}

function topLevelNames(fieldSet: string | undefined): string[] {
  if (fieldSet === undefined) return [];
  const [operation] = parse(`{${fieldSet}}`, { noLocation: true }).definitions;
  if (operation?.kind !== Kind.OPERATION_DEFINITION) return [];
  return operation.selectionSet.selections.flatMap((one) =>
    one.kind === Kind.FIELD ? [one.name.value] : [],
  );
}

function withJoins(
  field: FieldDefinitionNode,
  graphs: readonly string[],
  without: ReadonlySet<string>,
): FieldDefinitionNode {
  const joins = graphs.map((graph): ConstDirectiveNode => ({
    kind: Kind.DIRECTIVE,
    name: { kind: Kind.NAME, value: 'join__field' },
    arguments: [
      argument('graph', { kind: Kind.ENUM, value: graph }),
      ...(without.has(graph) ? [argument('external', { kind: Kind.BOOLEAN, value: true })] : []),
    ],
  }));
  return { ...field, directives: [...(field.directives ?? []), ...joins] };
}

function argument(name: string, value: ConstArgumentNode['value']): ConstArgumentNode {
  return { kind: Kind.ARGUMENT, name: { kind: Kind.NAME, value: name }, value };
}

function directivesOf(
  node: { readonly directives?: readonly ConstDirectiveNode[] | undefined },
  name: string,
): ConstDirectiveNode[] {
  return node.directives?.filter((directive) => directive.name.value === name) ?? [];
}

function isTrue(directive: ConstDirectiveNode, name: string): boolean {
  const value = directive.arguments?.find((one) => one.name.value === name)?.value;
  return value?.kind === Kind.BOOLEAN && value.value;
}
