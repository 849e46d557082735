import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type DocumentNode,
  Kind,
  specifiedDirectives,
  type ASTNode,
} from 'graphql';
import { stringArgument } from './directives.js';

// The planner has a public schema of its own, but that keeps hidden types as members of unions.

/** Directives of federation's own specifications: about composition and execution, not for clients. */
const machinery = new Set([
  'link',
  'core',
  'tag',
  'authenticated',
  'requiresScopes',
  'policy',
  'context',
  'fromContext',
  'cacheTag',
]);
const machineryPrefixes = [
  'join__',
  'link__',
  'core__',
  'federation__',
  'inaccessible__',
  'context__',
  'policy__',
  'requiresScopes__',
];

/**
 * The schema that clients see: the supergraph without inaccessible elements and without the directives of
 * federation. Directives that subgraphs composed into it remain.
 */
export function publicDocument(supergraph: DocumentNode): DocumentNode {
  const inaccessible = inaccessibleName(supergraph);
  const isMachinery = (name: string): boolean =>
    name === inaccessible ||
    machinery.has(name) ||
    machineryPrefixes.some((prefix) => name.startsWith(prefix));
  const kept = supergraph.definitions.filter(
    (node) =>
      !('name' in node) || !node.name || (!isMachinery(node.name.value) && !isMarked(node, inaccessible)),
  );
  const shownDirectives = new Set([
    ...specifiedDirectives.map(({ name }) => name),
    ...kept.flatMap((node) => (node.kind === Kind.DIRECTIVE_DEFINITION ? [node.name.value] : [])),
  ]);
  const names = new Set(kept.flatMap((node) => ('name' in node && node.name ? [node.name.value] : [])));
  const filter: Filter = { inaccessible, shownDirectives, names };
  return { kind: Kind.DOCUMENT, definitions: kept.map((node) => shown(node, filter)) };
}

interface Filter {
  readonly inaccessible: string;
  readonly shownDirectives: ReadonlySet<string>;
  readonly names: ReadonlySet<string>;
}

/** A supergraph may import the directive under another name. */
export function inaccessibleName(supergraph: DocumentNode): string {
  for (const node of supergraph.definitions) {
    if (node.kind !== Kind.SCHEMA_DEFINITION && node.kind !== Kind.SCHEMA_EXTENSION) continue;
    for (const directive of node.directives ?? []) {
      const url = stringArgument(directive, 'url') ?? stringArgument(directive, 'feature');
      if (url?.includes('/inaccessible/')) return stringArgument(directive, 'as') ?? 'inaccessible';
    }
  }
  return 'inaccessible';
}

export function isMarked(node: ASTNode, directive: string): boolean {
  return 'directives' in node && (node.directives?.some(({ name }) => name.value === directive) ?? false);
}

/** A definition with only its visible parts. */
function shown<T extends DefinitionNode>(node: T, filter: Filter): T {
  const copy: Record<string, unknown> = { ...node };
  for (const key of ['fields', 'values', 'arguments', 'interfaces', 'types', 'operationTypes'] as const) {
    const parts = copy[key];
    if (Array.isArray(parts)) copy[key] = shownParts(parts as ASTNode[], filter);
  }
  if (Array.isArray(copy['directives'])) {
    copy['directives'] = (copy['directives'] as ConstDirectiveNode[]).filter(({ name }) =>
      filter.shownDirectives.has(name.value),
    );
  }
  return copy as unknown as T;
}

function shownParts(parts: readonly ASTNode[], filter: Filter): ASTNode[] {
  return parts
    .filter((part) => !isMarked(part, filter.inaccessible))
    .filter((part) => part.kind !== Kind.NAMED_TYPE || filter.names.has(part.name.value))
    .filter((part) => part.kind !== Kind.OPERATION_TYPE_DEFINITION || filter.names.has(part.type.name.value))
    .map((part) =>
      part.kind === Kind.NAMED_TYPE ? part : (shown(part as DefinitionNode, filter) as ASTNode),
    );
}
