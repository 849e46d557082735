import {
  type ASTNode,
  type DirectiveNode,
  type FieldNode,
  type FragmentDefinitionNode,
  getNamedType,
  type GraphQLNamedType,
  type GraphQLSchema,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type ValueNode,
  visit,
} from 'graphql';
import type { SelectedOperation } from './select.js';

/** Values of the variables that `@skip` and `@include` read. */
export type ConditionValues = Readonly<Record<string, boolean>>;

/** An operation in the form that the planner handles correctly. */
export interface NormalisedOperation {
  /** Without named fragments, introspection and conditions; undefined if nothing is left to plan. */
  readonly operation: OperationDefinitionNode | undefined;
  /**
   * Names of variables as the planner sees them, where they differ from the client's: planner's name to
   * client's.
   */
  readonly renamed: Readonly<Record<string, string>>;
}

/** Variable that the planner declares without checking whether the client declares it, too. */
const reserved = 'representations';

/**
 * Rewrites a valid operation for the planner: inlines fragments, removes selections that are never included
 * or never match, root `__typename` and introspection (answered here, not by a subgraph), type conditions
 * that always match and `@defer`; applies `@skip` and `@include`; renames variables that would conflict with
 * the planner's own.
 */
export function normalise(
  schema: GraphQLSchema,
  selected: SelectedOperation,
  conditions: ConditionValues,
): NormalisedOperation {
  const root = schema.getRootType(selected.operation.operation);
  if (!root) throw new Error(`the schema has no ${selected.operation.operation} root`);
  const walk: Walk = { schema, fragments: selected.fragments, conditions };
  const selections = normaliseSelections(
    walk,
    selected.operation.selectionSet.selections,
    positionOf(walk, root),
    true,
  );
  if (selections.length === 0) return { operation: undefined, renamed: {} };
  const pruned: OperationDefinitionNode = {
    ...selected.operation,
    directives: [],
    selectionSet: { kind: Kind.SELECTION_SET, selections },
  };
  return renameReserved(withUsedVariables(pruned));
}

interface Walk {
  readonly schema: GraphQLSchema;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly conditions: ConditionValues;
}

/**
 * Position of selections: their type, and the object types that can reach it through the fragments around it.
 */
interface Position {
  readonly type: GraphQLNamedType;
  readonly possible: ReadonlySet<GraphQLNamedType>;
}

function positionOf({ schema }: Walk, type: GraphQLNamedType): Position {
  return { type, possible: new Set(isAbstractType(type) ? schema.getPossibleTypes(type) : [type]) };
}

/**
 * The position inside a fragment; undefined if no object can reach it: the planner would drop the field
 * around it.
 */
function narrowed(walk: Walk, position: Position, target: GraphQLNamedType): Position | undefined {
  const { possible } = positionOf(walk, target);
  const left = new Set([...position.possible].filter((type) => possible.has(type)));
  return left.size === 0 ? undefined : { type: target, possible: left };
}

function normaliseSelections(
  walk: Walk,
  selections: readonly SelectionNode[],
  parent: Position,
  isRoot: boolean,
): SelectionNode[] {
  const kept: SelectionNode[] = [];
  for (const selection of selections) {
    const directives = applyConditions(selection.directives ?? [], walk.conditions);
    if (!directives) continue;
    if (selection.kind === Kind.FIELD) {
      const field = normaliseField(walk, selection, directives, parent.type, isRoot);
      if (field) kept.push(field);
    } else {
      kept.push(...normaliseFragment(walk, selection, directives, parent, isRoot));
    }
  }
  return kept;
}

function normaliseField(
  walk: Walk,
  node: FieldNode,
  directives: readonly DirectiveNode[],
  parent: GraphQLNamedType,
  isRoot: boolean,
): FieldNode | undefined {
  const name = node.name.value;
  if (name.startsWith('__')) {
    // The writer of the answer knows all type names. The remaining ones help the plan to determine types:
    // without alias and conditions, which the planner takes for a field of the data where a type may be an
    // interface object.
    return isRoot ? undefined : typename;
  }
  if (!node.selectionSet) return { ...node, directives };
  const definition = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name] : undefined;
  if (!definition) throw new Error(`the schema has no field ${parent.name}.${name}`);
  const selections = normaliseSelections(
    walk,
    node.selectionSet.selections,
    positionOf(walk, getNamedType(definition.type)),
    false,
  );
  return {
    ...node,
    directives,
    selectionSet: { kind: Kind.SELECTION_SET, selections: selections.length > 0 ? selections : [typename] },
  };
}

const typename: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };

function normaliseFragment(
  walk: Walk,
  node: Exclude<SelectionNode, FieldNode>,
  directives: readonly DirectiveNode[],
  parent: Position,
  isRoot: boolean,
): SelectionNode[] {
  const spread = node.kind === Kind.FRAGMENT_SPREAD ? walk.fragments.get(node.name.value) : node;
  if (!spread) return [];
  const condition = spread.typeCondition?.name.value;
  const target = condition === undefined ? parent.type : walk.schema.getType(condition);
  if (!target || !isCompositeType(target)) return [];
  const position = narrowed(walk, parent, target);
  if (!position) return [];
  const redundant = isAlwaysMet(walk.schema, parent.type, target);
  const inner = normaliseSelections(
    walk,
    spread.selectionSet.selections,
    redundant ? parent : position,
    isRoot,
  );
  if (inner.length === 0) return [];
  if (redundant && directives.length === 0) return inner;
  return [
    {
      kind: Kind.INLINE_FRAGMENT,
      directives,
      ...(redundant
        ? {}
        : { typeCondition: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: target.name } } }),
      selectionSet: { kind: Kind.SELECTION_SET, selections: inner },
    },
  ];
}

/**
 * True if every value of `parent` matches a condition on `target`, and all fields of the target can be
 * selected on the parent. This holds for fields of a union or an interface that the parent itself implements;
 * a union inside an interface is kept.
 */
function isAlwaysMet(schema: GraphQLSchema, parent: GraphQLNamedType, target: GraphQLNamedType): boolean {
  if (parent === target) return true;
  if (!isAbstractType(target)) return false;
  if (!isObjectType(parent) && !isInterfaceType(parent)) return false;
  return schema.isSubType(target, parent);
}

/** The remaining directives, or undefined if the selection is not included. */
function applyConditions(
  directives: readonly DirectiveNode[],
  conditions: ConditionValues,
): readonly DirectiveNode[] | undefined {
  const left: DirectiveNode[] = [];
  for (const directive of directives) {
    const name = directive.name.value;
    if (name === 'defer') continue;
    if (name !== 'skip' && name !== 'include') {
      left.push(directive);
      continue;
    }
    const value = conditionValue(directive, conditions);
    if (value === undefined) left.push(directive);
    else if (value === (name === 'skip')) return undefined;
  }
  return left;
}

function conditionValue(directive: DirectiveNode, conditions: ConditionValues): boolean | undefined {
  const value = directive.arguments?.find(({ name }) => name.value === 'if')?.value;
  if (value?.kind === Kind.BOOLEAN) return value.value;
  if (value?.kind === Kind.VARIABLE) return conditions[value.name.value] === true;
  return undefined;
}

function withUsedVariables(operation: OperationDefinitionNode): OperationDefinitionNode {
  const used = new Set<string>();
  visit(operation.selectionSet, {
    Variable({ name }) {
      used.add(name.value);
    },
  });
  return {
    ...operation,
    variableDefinitions:
      operation.variableDefinitions?.filter(({ variable }) => used.has(variable.name.value)) ?? [],
  };
}

function renameReserved(operation: OperationDefinitionNode): NormalisedOperation {
  const names = new Set(operation.variableDefinitions?.map(({ variable }) => variable.name.value));
  const toPlanner = new Map<string, string>();
  for (const name of names) {
    if (name !== reserved) continue;
    let fresh = `client_${name}`;
    while (names.has(fresh)) fresh = `${fresh}_`;
    toPlanner.set(name, fresh);
  }
  if (toPlanner.size === 0) return { operation, renamed: {} };
  const renamed = visit(operation, {
    Variable(node) {
      const fresh = toPlanner.get(node.name.value);
      return fresh === undefined ? undefined : { ...node, name: { ...node.name, value: fresh } };
    },
  });
  return {
    operation: renamed,
    renamed: Object.fromEntries([...toPlanner].map(([client, planner]) => [planner, client])),
  };
}

/** Names of the variables that the `@skip` and `@include` of an operation read, in order of appearance. */
export function conditionVariables(node: ASTNode): string[] {
  const names = new Set<string>();
  visit(node, {
    Directive({ name, arguments: given }) {
      if (name.value !== 'skip' && name.value !== 'include') return;
      const value: ValueNode | undefined = given?.find((argument) => argument.name.value === 'if')?.value;
      if (value?.kind === Kind.VARIABLE) names.add(value.name.value);
    },
  });
  return [...names];
}

/** Number of fields of an operation after its fragments are inlined; `Infinity` above `bound`. */
export function expandedSize(selected: SelectedOperation, bound: number): number {
  const sizes = new Map<string, number>();
  const sizeOf = (selections: readonly SelectionNode[]): number => {
    let total = 0;
    for (const selection of selections) {
      if (selection.kind === Kind.FRAGMENT_SPREAD) total += fragmentSize(selection.name.value);
      else total += 1 + sizeOf(selection.selectionSet?.selections ?? []);
      if (total > bound) return Infinity;
    }
    return total;
  };
  const fragmentSize = (name: string): number => {
    const known = sizes.get(name);
    if (known !== undefined) return known;
    const size = sizeOf(selected.fragments.get(name)?.selectionSet.selections ?? []);
    sizes.set(name, size);
    return size;
  };
  return sizeOf(selected.operation.selectionSet.selections);
}

/** One root field of an operation in a document of its own, with the conditions around it. */
export interface RootField {
  readonly responseKey: string;
  readonly operation: OperationDefinitionNode;
}

/** Splits a normalised operation by the response keys of its roots, in order of first appearance. */
export function splitRoots(operation: OperationDefinitionNode): RootField[] {
  const byKey = new Map<string, SelectionNode[]>();
  const collect = (
    selections: readonly SelectionNode[],
    wrap: (node: SelectionNode) => SelectionNode,
  ): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const key = selection.alias?.value ?? selection.name.value;
        byKey.set(key, [...(byKey.get(key) ?? []), wrap(selection)]);
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        collect(selection.selectionSet.selections, (node) =>
          wrap({ ...selection, selectionSet: { kind: Kind.SELECTION_SET, selections: [node] } }),
        );
      }
    }
  };
  collect(operation.selectionSet.selections, (node) => node);
  return [...byKey].map(([responseKey, selections]) => ({
    responseKey,
    operation: withUsedVariables({
      ...operation,
      selectionSet: { kind: Kind.SELECTION_SET, selections },
    }),
  }));
}
