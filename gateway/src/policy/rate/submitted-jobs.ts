import type { OperationInfo } from '@rhizome/federation';
import { type FieldNode, Kind, valueFromASTUntyped } from 'graphql';

type Variables = Readonly<Record<string, unknown>>;

/**
 * Number of jobs that an operation submits: for each mutation field `submit…`, the length of the longest list
 * in its input, or a count. Experiments name their fields in the same way.
 */
export function submittedJobs(
  { kind, document }: Pick<OperationInfo, 'kind' | 'document'>,
  variables: Variables,
): number {
  if (kind !== 'mutation') return 0;
  const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION);
  let jobs = 0;
  for (const selection of operation?.selectionSet.selections ?? []) {
    if (selection.kind === Kind.FIELD && selection.name.value.startsWith('submit'))
      jobs += jobsOf(selection, variables);
  }
  return jobs;
}

function jobsOf({ arguments: given = [] }: FieldNode, variables: Variables): number {
  return Math.max(1, ...given.map(({ value }) => sizeOf(valueFromASTUntyped(value, variables), 3)));
}

/** Length of the longest list, or the largest `count`, down to a depth. */
function sizeOf(value: unknown, levels: number): number {
  if (Array.isArray(value)) return value.length;
  if (typeof value !== 'object' || value === null || levels === 0) return 0;
  let largest = 0;
  for (const [name, inner] of Object.entries(value)) {
    const size = name === 'count' && typeof inner === 'number' ? inner : sizeOf(inner, levels - 1);
    largest = Math.max(largest, size);
  }
  return largest;
}
