/** Selections below a field, for resolvers that read only the requested fields from their store. */
import type { FieldNode, GraphQLResolveInfo, SelectionSetNode } from 'graphql';

/** The part of a resolver's call that describes the selection. */
export type SelectionInfo = Pick<GraphQLResolveInfo, 'fieldNodes' | 'fragments'>;

/**
 * Creates a function that returns a value derived from the fields selected below a resolver's field; computed
 * once per field node of a repeated operation. Fields under `@skip` or `@include` count as selected.
 * @param type type of the fields; fragments on other types are ignored
 * @param make computes the value from the names of the fields
 * @param paths paths from the resolver's field to objects of the type, such as `['edges', 'node']`, combined;
 *   none: its own value
 */
export function lookAhead<T>(
  type: string,
  make: (fields: ReadonlySet<string>) => T,
  ...paths: readonly (readonly string[])[]
): (info: SelectionInfo) => T {
  const remembered = new WeakMap<FieldNode, { readonly made: T }>();
  return ({ fieldNodes, fragments }) => {
    const [first] = fieldNodes;
    // The nodes of an operation that runs again are the same objects.
    const only = fieldNodes.length === 1 ? first : undefined;
    const known = only && remembered.get(only);
    if (known) return known.made;
    const names = new Set<string>();
    for (const path of paths.length > 0 ? paths : [[]])
      for (const { selectionSet } of fieldNodes) collect(selectionSet, path, type, fragments, names);
    const made = make(names);
    if (only) remembered.set(only, { made });
    return made;
  };
}

function collect(
  selection: SelectionSetNode | undefined,
  path: readonly string[],
  type: string,
  fragments: SelectionInfo['fragments'],
  names: Set<string>,
): void {
  const [next, ...rest] = path;
  for (const node of selection?.selections ?? []) {
    if (node.kind === 'Field') {
      if (next === undefined) names.add(node.name.value);
      else if (node.name.value === next) collect(node.selectionSet, rest, type, fragments, names);
      continue;
    }
    const fragment = node.kind === 'FragmentSpread' ? fragments[node.name.value] : node;
    const condition = fragment?.typeCondition?.name.value;
    // Objects of other types in the same list have their own fragments.
    if (next !== undefined || condition === undefined || condition === type)
      collect(fragment?.selectionSet, path, type, fragments, names);
  }
}
