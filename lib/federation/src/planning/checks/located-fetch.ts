/** The operation of a fetch with the path of its results. */
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

/** Parsed operations: each check of a plan reads the same ones. */
const operations = new WeakMap<FetchBase, OperationDefinitionNode | undefined>();

/** The operation of a fetch, with its fragments inlined. */
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

/** Selections on the entities that one root field of an operation returns. */
export function entitySets(operation: OperationDefinitionNode, alias: string): SelectionSetNode[] {
  return operation.selectionSet.selections.flatMap((node) =>
    node.kind === Kind.FIELD && keyOf(node) === alias ? (node.selectionSet ?? []) : [],
  );
}

/** Keys that fields of a fetch have in the data, by their keys in its answer, where they differ. */
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

/** Response key of the field. */
export function keyOf(node: FieldNode): string {
  return node.alias?.value ?? node.name.value;
}
