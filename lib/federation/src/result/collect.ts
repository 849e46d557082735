import {
  type DirectiveNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type FragmentSpreadNode,
  getNamedType,
  GraphQLNonNull,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  GraphQLString,
  type InlineFragmentNode,
  isAbstractType,
  isInterfaceType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import type { SelectedOperation } from '../planning/select.js';
import type { ConditionValues } from '../fetch/requires.js';

/** One field of an answer at objects of one type. */
export interface AnswerField {
  /** Response key. */
  readonly key: string;
  readonly name: string;
  readonly parent: string;
  readonly type: GraphQLOutputType;
  /** Selections below it; undefined for leaves. */
  readonly selection: AnswerSelection | undefined;
}

/** Data that does not change within one operation with one set of conditions. */
interface CollectContext {
  readonly schema: GraphQLSchema;
  readonly fragments: SelectedOperation['fragments'];
  readonly conditions: ConditionValues;
}

const typenameType = new GraphQLNonNull(GraphQLString);

/**
 * A client's selections at one position, as CollectFields of the GraphQL specification defines them:
 * fragments and conditions resolved, fields with equal keys merged, in the order in which the keys first
 * appear.
 */
export class AnswerSelection {
  readonly type: GraphQLNamedType;
  readonly #context: CollectContext;
  readonly #sets: readonly SelectionSetNode[];
  readonly #fields = new Map<string, readonly AnswerField[]>();
  #dependsOnType: boolean | undefined;

  private constructor(context: CollectContext, sets: readonly SelectionSetNode[], type: GraphQLNamedType) {
    this.#context = context;
    this.#sets = sets;
    this.type = type;
  }

  /** The selection at the root of an operation. */
  static ofOperation(
    schema: GraphQLSchema,
    selected: SelectedOperation,
    conditions: ConditionValues,
  ): AnswerSelection {
    const root = schema.getRootType(selected.operation.operation);
    if (!root) throw new Error(`the schema has no ${selected.operation.operation} root`);
    const context = { schema, fragments: selected.fragments, conditions };
    return new AnswerSelection(context, [selected.operation.selectionSet], root);
  }

  /** The fields of objects of a type, which is the position's own or one of its possible types. */
  fieldsOf(type: GraphQLNamedType): readonly AnswerField[] {
    let fields = this.#fields.get(type.name);
    if (!fields) {
      fields = this.#collect(type);
      this.#fields.set(type.name, fields);
    }
    return fields;
  }

  /**
   * The type of a value at this position by its `__typename`: undefined if clients cannot see it or it is not
   * possible here. A value without a type name has the declared type, if that is enough to answer.
   */
  typeOf(typename: unknown): GraphQLNamedType | undefined {
    const declared = this.type;
    if (isObjectType(declared)) return declared;
    if (typename === undefined || typename === declared.name)
      return isInterfaceType(declared) && !this.isUntyped(typename) ? declared : undefined;
    if (typeof typename !== 'string') return undefined;
    const type = this.#context.schema.getType(typename);
    if (!type || !isAbstractType(declared) || !(isObjectType(type) || isInterfaceType(type)))
      return undefined;
    return this.#context.schema.isSubType(declared, type) ? type : undefined;
  }

  /**
   * True if the value is only known to have the position's interface although the selections depend on its
   * type: an interface object whose concrete type no subgraph has returned.
   */
  isUntyped(typename: unknown): boolean {
    if (!isInterfaceType(this.type) || (typename !== undefined && typename !== this.type.name)) return false;
    return (this.#dependsOnType ??= this.possibleTypes().some((type) => this.#asksMoreOf(type)));
  }

  /** True if a type has more selections than the position has for all types. */
  #asksMoreOf(type: GraphQLNamedType): boolean {
    const sizeOf = (below: AnswerSelection | undefined): number => (below ? below.#sets.length : 0);
    const ofAll = new Map(this.fieldsOf(this.type).map((field) => [field.key, field]));
    return this.fieldsOf(type).some(({ key, name, selection }) => {
      const same = ofAll.get(key);
      return name === '__typename' || !same || sizeOf(same.selection) !== sizeOf(selection);
    });
  }

  #fragmentOf(
    selection: FragmentSpreadNode | InlineFragmentNode,
  ): FragmentDefinitionNode | InlineFragmentNode | undefined {
    return selection.kind === Kind.FRAGMENT_SPREAD
      ? this.#context.fragments.get(selection.name.value)
      : selection;
  }

  /** Object types that are possible at this position. */
  possibleTypes(): readonly GraphQLNamedType[] {
    return isAbstractType(this.type) ? this.#context.schema.getPossibleTypes(this.type) : [this.type];
  }

  #collect(type: GraphQLNamedType): AnswerField[] {
    const nodes = new Map<string, FieldNode[]>();
    for (const set of this.#sets) this.#gather(set, type, nodes);
    return [...nodes].map(([key, same]) => this.#field(key, same, type));
  }

  #field(key: string, nodes: readonly FieldNode[], type: GraphQLNamedType): AnswerField {
    const name = nodes[0]?.name.value ?? '';
    const fieldType = this.#typeOfField(type, name);
    const sets = nodes.flatMap(({ selectionSet }) => (selectionSet ? [selectionSet] : []));
    return {
      key,
      name,
      parent: type.name,
      type: fieldType,
      selection:
        sets.length > 0 && !name.startsWith('__')
          ? new AnswerSelection(this.#context, sets, getNamedType(fieldType))
          : undefined,
    };
  }

  #typeOfField(type: GraphQLNamedType, name: string): GraphQLOutputType {
    if (name === '__type') return GraphQLString;
    if (name.startsWith('__')) return typenameType;
    const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
    if (!field) throw new Error(`the schema has no field ${type.name}.${name}`);
    return field.type;
  }

  #gather(set: SelectionSetNode, type: GraphQLNamedType, nodes: Map<string, FieldNode[]>): void {
    for (const selection of set.selections) {
      if (!isIncluded(selection.directives, this.#context.conditions)) continue;
      if (selection.kind === Kind.FIELD) {
        const key = selection.alias?.value ?? selection.name.value;
        const same = nodes.get(key);
        if (same) same.push(selection);
        else nodes.set(key, [selection]);
        continue;
      }
      const fragment = this.#fragmentOf(selection);
      if (fragment && this.#applies(fragment.typeCondition?.name.value, type)) {
        this.#gather(fragment.selectionSet, type, nodes);
      }
    }
  }

  #applies(condition: string | undefined, type: GraphQLNamedType): boolean {
    if (condition === undefined || condition === type.name) return true;
    const target = this.#context.schema.getType(condition);
    if (!target || !isAbstractType(target) || !(isObjectType(type) || isInterfaceType(type))) return false;
    return this.#context.schema.isSubType(target, type);
  }
}

function isIncluded(directives: readonly DirectiveNode[] | undefined, conditions: ConditionValues): boolean {
  for (const directive of directives ?? []) {
    const name = directive.name.value;
    if (name !== 'skip' && name !== 'include') continue;
    const value = directive.arguments?.find((argument) => argument.name.value === 'if')?.value;
    const met =
      value?.kind === Kind.BOOLEAN
        ? value.value
        : value?.kind === Kind.VARIABLE && conditions[value.name.value] === true;
    if (met === (name === 'skip')) return false;
  }
  return true;
}
