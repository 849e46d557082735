/** Removes what a caller may not read from an operation before it is planned. */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  getNamedType,
  type GraphQLCompositeType,
  type GraphQLSchema,
  isCompositeType,
  Kind,
  type OperationDefinitionNode,
  print,
  type SelectionNode,
  type SelectionSetNode,
  visit,
} from 'graphql';
import type { AccessRule, AccessRules } from './access-rules.js';

/** Key under which a restricted operation reads the type of each object. */
export const typeKey = 'rhizomeAccessType';

/** An operation without the fields that the caller may not read. */
export interface Restriction {
  /** Its text, with `typeKey` in each selection. */
  readonly query: string;
  /** The operation as it was requested, without named fragments. */
  readonly operation: OperationDefinitionNode;
  /** Removed fields of {@link operation}, with their coordinates. */
  readonly refused: ReadonlyMap<FieldNode, string>;
}

/**
 * Rewrites an operation.
 *
 * @param mayRead decides on a rule; called for rules of selected fields only
 * @returns undefined if nothing was removed
 */
export function restrict(
  document: DocumentNode,
  schema: GraphQLSchema,
  rules: AccessRules,
  mayRead: (rule: AccessRule) => boolean,
): Restriction | undefined {
  const operation = inlined(document);
  const root = schema.getRootType(operation.operation);
  if (!root) return undefined;
  const refused = new Map<FieldNode, string>();
  const cut = new Cutter(schema, rules, mayRead, refused);
  const selectionSet = cut.selections(operation.selectionSet, root);
  if (refused.size === 0) return undefined;
  return { query: print(withUsedVariables({ ...operation, selectionSet })), operation, refused };
}

class Cutter {
  readonly #schema: GraphQLSchema;
  readonly #rules: AccessRules;
  readonly #mayRead: (rule: AccessRule) => boolean;
  readonly #refused: Map<FieldNode, string>;

  constructor(
    schema: GraphQLSchema,
    rules: AccessRules,
    mayRead: (rule: AccessRule) => boolean,
    refused: Map<FieldNode, string>,
  ) {
    this.#schema = schema;
    this.#rules = rules;
    this.#mayRead = mayRead;
    this.#refused = refused;
  }

  selections({ selections }: SelectionSetNode, parent: GraphQLCompositeType): SelectionSetNode {
    const kept = selections.flatMap((selection) => this.#selection(selection, parent) ?? []);
    return { kind: Kind.SELECTION_SET, selections: [typeField, ...kept] };
  }

  #selection(selection: SelectionNode, parent: GraphQLCompositeType): SelectionNode | undefined {
    if (selection.kind === Kind.FIELD) return this.#field(selection, parent);
    if (selection.kind === Kind.FRAGMENT_SPREAD) return undefined;
    const condition = selection.typeCondition && this.#schema.getType(selection.typeCondition.name.value);
    const type = isCompositeType(condition) ? condition : parent;
    return { ...selection, selectionSet: this.selections(selection.selectionSet, type) };
  }

  #field(field: FieldNode, parent: GraphQLCompositeType): FieldNode | undefined {
    const coordinate = `${parent.name}.${field.name.value}`;
    const rule = this.#rules.get(coordinate);
    if (rule && !this.#mayRead(rule)) {
      this.#refused.set(field, coordinate);
      return undefined;
    }
    const type = 'getFields' in parent ? parent.getFields()[field.name.value]?.type : undefined;
    const named = type && getNamedType(type);
    if (!field.selectionSet || !isCompositeType(named)) return field;
    return { ...field, selectionSet: this.selections(field.selectionSet, named) };
  }
}

const typeField: FieldNode = {
  kind: Kind.FIELD,
  alias: { kind: Kind.NAME, value: typeKey },
  name: { kind: Kind.NAME, value: '__typename' },
};

/** The operation with inline fragments in place of named ones. */
function inlined({ definitions }: DocumentNode): OperationDefinitionNode {
  const fragments = new Map<string, FragmentDefinitionNode>();
  let operation: OperationDefinitionNode | undefined;
  for (const node of definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
    else if (node.kind === Kind.OPERATION_DEFINITION) operation = node;
  }
  if (!operation) throw new Error('the document has no operation');
  const expand = (set: SelectionSetNode): SelectionSetNode => ({
    ...set,
    selections: set.selections.map((selection): SelectionNode => {
      if (selection.kind === Kind.FIELD)
        return selection.selectionSet
          ? { ...selection, selectionSet: expand(selection.selectionSet) }
          : // A copy, as the same node of a fragment may be refused in one place only.
            { ...selection };
      if (selection.kind === Kind.INLINE_FRAGMENT)
        return { ...selection, selectionSet: expand(selection.selectionSet) };
      const fragment = fragments.get(selection.name.value);
      if (!fragment) throw new Error(`the fragment "${selection.name.value}" is missing`);
      return {
        kind: Kind.INLINE_FRAGMENT,
        typeCondition: fragment.typeCondition,
        directives: selection.directives ?? [],
        selectionSet: expand(fragment.selectionSet),
      };
    }),
  });
  return { ...operation, selectionSet: expand(operation.selectionSet) };
}

/** Without the variables that only removed fields used, which would make the operation invalid. */
function withUsedVariables(operation: OperationDefinitionNode): OperationDefinitionNode {
  const used = new Set<string>();
  visit(operation.selectionSet, { Variable: ({ name }) => void used.add(name.value) });
  const definitions = operation.variableDefinitions ?? [];
  return {
    ...operation,
    variableDefinitions: definitions.filter(({ variable }) => used.has(variable.name.value)),
  };
}
