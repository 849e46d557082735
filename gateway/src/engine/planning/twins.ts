import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type DirectiveNode,
  type DocumentNode,
  type EnumTypeDefinitionNode,
  Kind,
  parse,
  print,
  type ValueNode,
  visit,
} from 'graphql';
import { rootName, stringArgument } from '../supergraph.js';

// The planner cannot reach a `@requires` field of a subgraph by an entity hop that starts in that same subgraph
// ("Path … cannot be found in selection set"). It can when the field seems to live in another subgraph. So the
// supergraph is rewritten: each subgraph with such fields gets a twin of the same address that has everything of the
// original but its roots, and the `@requires` fields are the twin's alone. The price is a fetch more where the plain
// plan would have done, so such plans are made only where the plain one fails.

const twinSuffix = '__TWIN';
/** What a twin's name ends with; {@link serviceOfTwin} takes it off. */
const twinNameSuffix = '#twin';

/** The subgraph that a service name of a plan means. */
export function serviceOfTwin(serviceName: string): string {
  return serviceName.endsWith(twinNameSuffix) ? serviceName.slice(0, -twinNameSuffix.length) : serviceName;
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
    if ('name' in node && node.name && roots.has(node.name.value)) return node;
    return twinDirectives(node, graphs);
  });
  return print({ kind: Kind.DOCUMENT, definitions });
}

function graphsWithRequires(supergraph: DocumentNode): Set<string> {
  const graphs = new Set<string>();
  visit(supergraph, {
    Directive(node) {
      if (node.name.value !== 'join__field' || !hasRequires(node)) return;
      const graph = graphOf(node);
      if (graph) graphs.add(graph);
    },
  });
  return graphs;
}

function hasRequires(node: DirectiveNode): boolean {
  return node.arguments?.some(({ name }) => name.value === 'requires') ?? false;
}

function graphOf(node: DirectiveNode): string | undefined {
  return stringArgument(node as ConstDirectiveNode, 'graph');
}

function twinGraphs(node: EnumTypeDefinitionNode, graphs: ReadonlySet<string>): EnumTypeDefinitionNode {
  const values = node.values ?? [];
  const twins = values
    .filter(({ name }) => graphs.has(name.value))
    .map((value) => ({
      ...value,
      name: { ...value.name, value: value.name.value + twinSuffix },
      directives: value.directives?.map((directive) => withArgument(directive, 'name', (old) => old + twinNameSuffix)),
    }));
  return { ...node, values: [...values, ...twins] };
}

function twinDirectives(node: DefinitionNode, graphs: ReadonlySet<string>): DefinitionNode {
  return visit(node, {
    leave(child) {
      if (!('directives' in child) || !child.directives || child.directives.length === 0) return undefined;
      const directives = (child.directives as readonly ConstDirectiveNode[]).flatMap((directive) =>
        twinOf(directive, graphs),
      );
      return { ...child, directives };
    },
  }) as DefinitionNode;
}

function twinOf(directive: ConstDirectiveNode, graphs: ReadonlySet<string>): ConstDirectiveNode[] {
  if (!directive.name.value.startsWith('join__')) return [directive];
  const graph = graphOf(directive);
  if (!graph || !graphs.has(graph)) return [directive];
  const twin = withArgument(directive, 'graph', (old) => old + twinSuffix);
  // An override is the original's business: the twin offers what is left of it as plain fields.
  return hasRequires(directive) ? [twin] : [directive, withoutArguments(twin, ['override', 'overrideLabel'])];
}

function withArgument(
  directive: ConstDirectiveNode,
  name: string,
  change: (old: string) => string,
): ConstDirectiveNode {
  return {
    ...directive,
    arguments: directive.arguments?.map((argument) => {
      if (argument.name.value !== name) return argument;
      const value = argument.value as Extract<ValueNode, { value: string }>;
      return { ...argument, value: { ...value, value: change(value.value) } };
    }) as ConstDirectiveNode['arguments'],
  };
}

function withoutArguments(directive: ConstDirectiveNode, names: readonly string[]): ConstDirectiveNode {
  return { ...directive, arguments: directive.arguments?.filter(({ name }) => !names.includes(name.value)) };
}
