/** What a fetch of a plan asks for, and where that goes. */
import {
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
  visit,
} from 'graphql';
import { keysOf, readRewrite } from '../../fetch/rewrite.js';
import type { FetchBase, PathSegment, LocatedFetch } from '../plan-format.js';

/** Each check of a plan reads the same operations. */
const operations = new WeakMap<FetchBase, OperationDefinitionNode | undefined>();

/** The operation of a fetch, its fragments written out. */
export function operationOf({ fetch }: LocatedFetch): OperationDefinitionNode | undefined {
  if (!operations.has(fetch)) operations.set(fetch, writtenOut(fetch));
  return operations.get(fetch);
}

function writtenOut(fetch: FetchBase): OperationDefinitionNode | undefined {
  const document = parse(fetch.operation, { noLocation: true });
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
  }
  const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION);
  if (!operation || fragments.size === 0) return operation;
  return visit(operation, {
    FragmentSpread({ name }) {
      const fragment = fragments.get(name.value);
      if (!fragment) return undefined;
      const { typeCondition, selectionSet } = fragment;
      return { kind: Kind.INLINE_FRAGMENT, typeCondition, selectionSet } as const;
    },
  });
}

/** What is selected of the entities that one root field of an operation answers. */
export function entitySets(operation: OperationDefinitionNode, alias: string): SelectionSetNode[] {
  return operation.selectionSet.selections.flatMap((node) =>
    node.kind === Kind.FIELD && keyOf(node) === alias ? (node.selectionSet ?? []) : [],
  );
}

/** The names that fields of a fetch have in the data, by those in its answer, where they are others. */
export function renamesOf({ outputRewrites }: LocatedFetch['parts'][number]): ReadonlyMap<string, string> {
  const renames = new Map<string, string>();
  for (const rewrite of (outputRewrites ?? []).map(readRewrite)) {
    const last = keysOf(rewrite).at(-1);
    if (rewrite.change.kind === 'rename' && last !== undefined) renames.set(last, rewrite.change.to);
  }
  return renames;
}

/** The fields of a path. */
export function fieldsOf(path: readonly PathSegment[]): string[] {
  return path.flatMap((segment) =>
    typeof segment === 'object' && 'Field' in segment ? [segment.Field] : [],
  );
}

/** The key of a field in the answer. */
export function keyOf(node: FieldNode): string {
  return node.alias?.value ?? node.name.value;
}
