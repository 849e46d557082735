import { Kind, type OperationDefinitionNode, type SelectionSetNode } from 'graphql';
import { namedTypeOf, type SupergraphModel } from '../fallback/graph.js';

/**
 * Messages with which the native planner reports that there is no plan. All its other messages are faults of
 * its own.
 */
const finalReason = /No paths found for selection item/;

/**
 * True if the native planner is right that an operation has no plan. It is, with one exception: from an
 * interface object it does not find the path to fields that a third subgraph adds to one of the interface's
 * types.
 */
export function isUnplannable(
  reason: string,
  operation: OperationDefinitionNode,
  model: SupergraphModel,
): boolean {
  if (!finalReason.test(reason)) return false;
  return !narrowsInterfaceObject(model, model.roots[operation.operation], operation.selectionSet);
}

/** True if fields of one type of an interface are selected that a subgraph has as an interface object. */
function narrowsInterfaceObject(
  model: SupergraphModel,
  typeName: string,
  { selections }: SelectionSetNode,
): boolean {
  const isObjectSomewhere = [...(model.types.get(typeName)?.graphs.values() ?? [])].some(
    ({ isInterfaceObject, keys }) => isInterfaceObject && keys.length > 0,
  );
  return selections.some((node) => {
    if (node.kind === Kind.FRAGMENT_SPREAD || !node.selectionSet) return false;
    if (node.kind === Kind.FIELD) {
      const field = model.types.get(typeName)?.fields.get(node.name.value);
      return field !== undefined && narrowsInterfaceObject(model, namedTypeOf(field.type), node.selectionSet);
    }
    const condition = node.typeCondition?.name.value ?? typeName;
    if (isObjectSomewhere && condition !== typeName) return true;
    return narrowsInterfaceObject(model, condition, node.selectionSet);
  });
}
