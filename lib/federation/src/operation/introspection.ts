import { execute, type GraphQLSchema, Kind, type OperationDefinitionNode, type SelectionNode } from 'graphql';
import type { SelectedOperation } from '../planning/select.js';

/** True if an operation selects `__schema` or `__type` at its root. */
export function asksForSchema(selected: SelectedOperation): boolean {
  const seen = new Set<string>();
  const asks = (selections: readonly SelectionNode[]): boolean =>
    selections.some((selection) => {
      if (selection.kind === Kind.FIELD) return isSchemaField(selection.name.value);
      if (selection.kind === Kind.INLINE_FRAGMENT) return asks(selection.selectionSet.selections);
      const name = selection.name.value;
      if (seen.has(name)) return false;
      seen.add(name);
      return asks(selected.fragments.get(name)?.selectionSet.selections ?? []);
    });
  return asks(selected.operation.selectionSet.selections);
}

function isSchemaField(name: string): boolean {
  return name === '__schema' || name === '__type';
}

/**
 * Answers the introspection part of an operation: its root fields `__schema` and `__type` by their response
 * keys. The plan answers the rest of the operation.
 */
export function introspect(
  schema: GraphQLSchema,
  selected: SelectedOperation,
  variables: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const selections = schemaPart(selected, selected.operation.selectionSet.selections, new Set());
  const operation: OperationDefinitionNode = {
    ...selected.operation,
    selectionSet: { kind: Kind.SELECTION_SET, selections },
  };
  const result = execute({
    schema,
    document: { kind: Kind.DOCUMENT, definitions: [operation, ...selected.fragments.values()] },
    variableValues: variables,
  });
  if ('then' in result) throw new Error('introspection cannot be asynchronous');
  return result.data ?? {};
}

function schemaPart(
  selected: SelectedOperation,
  selections: readonly SelectionNode[],
  inside: ReadonlySet<string>,
): SelectionNode[] {
  return selections.flatMap((selection): SelectionNode[] => {
    if (selection.kind === Kind.FIELD) return isSchemaField(selection.name.value) ? [selection] : [];
    const name = selection.kind === Kind.FRAGMENT_SPREAD ? selection.name.value : undefined;
    const target = name === undefined ? selection : selected.fragments.get(name);
    if (!target || !('selectionSet' in target) || (name !== undefined && inside.has(name))) return [];
    const inner = schemaPart(
      selected,
      target.selectionSet.selections,
      name === undefined ? inside : new Set([...inside, name]),
    );
    if (inner.length === 0) return [];
    return [
      {
        kind: Kind.INLINE_FRAGMENT,
        directives: selection.directives ?? [],
        selectionSet: { kind: Kind.SELECTION_SET, selections: inner },
        ...(target.typeCondition ? { typeCondition: target.typeCondition } : {}),
      },
    ];
  });
}
