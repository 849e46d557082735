import { DomainError } from '@rhizome/errors';
import {
  type ArgumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  getNamedType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  isInputType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  type ValueNode,
  valueFromASTUntyped,
} from 'graphql';
import type { OperationInfo } from '@rhizome/federation';
import { type Part, sum, times, under, type Variables } from './cost-parts.js';
import { inputCost, type ListSize, SchemaWeights } from './cost-weights.js';

/** Assumptions about an operation's cost if the schema does not specify it. */
export interface CostDefaults {
  /** Number of entries of a list of unspecified size. */
  readonly assumedListSize: number;
}

/** Sizes of list fields that an ancestor field specifies. */
type Sizes = ReadonlyMap<string, Part>;

/** Cost of a root field of a mutation in addition to its result. */
const mutationCost = 10;
/** Arguments that limit the number of results of a field without `@listSize`. */
const pageArguments = ['first', 'last', 'limit'];
/** The lists of a connection, to which those arguments apply. */
const connectionFields = ['nodes', 'edges'];

const estimates = new WeakMap<OperationInfo, (variables: Variables) => number>();

/**
 * Maximum cost of an operation, computed before it runs, by `@cost` and `@listSize` if the schema has them:
 * an object is 1, a leaf 0, a mutation 10 more; a list counts its maximum number of entries. Compiled once
 * per operation, evaluated with the variables of each request.
 *
 * @throws DomainError BAD_USER_INPUT if a field requires exactly one of its slicing arguments and gets none
 *   or several
 */
export function costOf(
  operation: OperationInfo,
  schema: GraphQLSchema,
  variables: Variables,
  defaults: CostDefaults,
): number {
  let estimate = estimates.get(operation);
  if (!estimate) {
    const part = new CostCompiler(operation, schema, defaults).operation();
    estimate = typeof part === 'number' ? () => part : part;
    estimates.set(operation, estimate);
  }
  return estimate(variables);
}

/** Refuses an operation whose maximum cost exceeds the limit. */
export function assertAffordable(cost: number, limit: number): void {
  if (cost <= limit) return;
  const text = `The operation may cost ${cost}; the limit is ${limit}. Request smaller pages or fewer nested lists`;
  throw new DomainError('OPERATION_TOO_COMPLEX', text, {
    field: 'cost',
    value: cost,
    expected: `at most ${limit}`,
  });
}

class CostCompiler {
  readonly #schema: GraphQLSchema;
  readonly #defaults: CostDefaults;
  readonly #weights: SchemaWeights;
  readonly #definition: OperationDefinitionNode | undefined;
  readonly #fragments = new Map<string, FragmentDefinitionNode>();
  /** Parts of fragments, by the sizes in force at the spread. */
  readonly #known = new Map<Sizes, Map<string, Part>>();

  constructor({ document }: OperationInfo, schema: GraphQLSchema, defaults: CostDefaults) {
    this.#schema = schema;
    this.#defaults = defaults;
    this.#weights = SchemaWeights.of(schema);
    this.#definition = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION);
    for (const node of document.definitions) {
      if (node.kind === Kind.FRAGMENT_DEFINITION) this.#fragments.set(node.name.value, node);
    }
  }

  operation(): Part {
    const root = this.#definition && this.#schema.getRootType(this.#definition.operation);
    if (!this.#definition || !root) return 0;
    return this.#set(this.#definition.selectionSet, root, noSizes);
  }

  #set(set: SelectionSetNode, type: GraphQLNamedType, sizes: Sizes): Part {
    return sum(
      set.selections.map((selection) =>
        under(selection.directives, this.#selection(selection, type, sizes), (name) => this.#fallback(name)),
      ),
    );
  }

  #selection(selection: SelectionNode, type: GraphQLNamedType, sizes: Sizes): Part {
    if (selection.kind === Kind.FIELD) return this.#field(selection, type, sizes);
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      const condition = selection.typeCondition && this.#schema.getType(selection.typeCondition.name.value);
      return this.#set(selection.selectionSet, condition ?? type, sizes);
    }
    return this.#fragment(selection.name.value, type, sizes);
  }

  #fragment(name: string, type: GraphQLNamedType, sizes: Sizes): Part {
    let known = this.#known.get(sizes);
    if (!known) this.#known.set(sizes, (known = new Map<string, Part>()));
    let part = known.get(name);
    if (part !== undefined) return part;
    const fragment = this.#fragments.get(name);
    if (!fragment) return 0;
    // Validation rejects cycles; this entry only prevents an endless loop after a programming error.
    known.set(name, 0);
    part = this.#set(
      fragment.selectionSet,
      this.#schema.getType(fragment.typeCondition.name.value) ?? type,
      sizes,
    );
    known.set(name, part);
    return part;
  }

  #field(node: FieldNode, parent: GraphQLNamedType, sizes: Sizes): Part {
    const field =
      isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[node.name.value] : undefined;
    if (!field) return 0;
    const type = getNamedType(field.type);
    const own =
      this.#weights.of(field.astNode) ?? this.#weights.of(type.astNode) ?? (isLeafType(type) ? 0 : 1);
    const { size, inner } = this.#sizesOf(node, field, sizes);
    const below = node.selectionSet ? this.#set(node.selectionSet, type, inner) : 0;
    const each = sum([own, below]);
    const isMutation =
      this.#definition?.operation === 'mutation' && parent === this.#schema.getMutationType();
    return sum([this.#argumentsOf(node, field), isMutation ? mutationCost : 0, times(size, each)]);
  }

  /** Number of results of a field, and the sizes that it specifies for the lists below it. */
  #sizesOf(node: FieldNode, field: Field, sizes: Sizes): { size: Part; inner: Sizes } {
    const levels = listLevels(field);
    const listSize = this.#weights.listSize(field) ?? conventional(field, levels);
    const said = listSize && this.#said(node, field, listSize);
    const isAboutBelow = listSize !== undefined && listSize.sizedFields.length > 0;
    const inner =
      isAboutBelow && said !== undefined
        ? new Map(listSize.sizedFields.map((name) => [name, said]))
        : noSizes;
    if (levels === 0) return { size: 1, inner };
    const outermost =
      (isAboutBelow ? undefined : said) ?? sizes.get(field.name) ?? this.#defaults.assumedListSize;
    let size: Part = outermost;
    for (let level = 1; level < levels; level++) size = times(size, this.#defaults.assumedListSize);
    return { size, inner };
  }

  /** Value of the slicing arguments of a field, or the size that its schema assumes. */
  #said(node: FieldNode, field: Field, listSize: ListSize): Part | undefined {
    const { slicingArguments, assumedSize, requireOne } = listSize;
    if (slicingArguments.length === 0) return assumedSize;
    const readers = slicingArguments.map((path) => this.#reader(node, field, path));
    const fallback = assumedSize ?? this.#defaults.assumedListSize;
    return (variables) => {
      const given = readers.map((read) => read(variables)).filter((size) => size !== undefined);
      if (requireOne && (given.length > 1 || (given.length === 0 && assumedSize === undefined)))
        throw notExactlyOne(node, slicingArguments, given.length);
      return given.length === 0 ? fallback : Math.max(0, ...given);
    };
  }

  /** Reads a number, or the length of a list, from an argument or from an input object given for one. */
  #reader(node: FieldNode, field: Field, path: string): (variables: Variables) => number | undefined {
    const [name = '', ...rest] = path.split('.');
    const given = node.arguments?.find((argument) => argument.name.value === name)?.value;
    const fallback: unknown = field.args.find((argument) => argument.name === name)?.defaultValue;
    return (variables) => {
      let value = given ? this.#value(given, variables) : undefined;
      if (value === undefined) value = fallback;
      for (const step of rest) value = (value as Record<string, unknown> | null | undefined)?.[step];
      if (Array.isArray(value)) return value.length;
      return typeof value === 'number' ? value : undefined;
    };
  }

  #argumentsOf(node: FieldNode, field: Field): Part {
    return sum(
      (node.arguments ?? []).map((given) => {
        const argument = field.args.find(({ name }) => name === given.name.value);
        if (!argument) return 0;
        const own = this.#weights.of(argument.astNode) ?? 0;
        const { type } = argument;
        if (!isInputType(type) || !this.#weights.weighsInputs(type)) return own;
        return (variables) => own + inputCost(this.#weights, type, this.#value(given.value, variables));
      }),
    );
  }

  #value(node: ArgumentNode['value'], variables: Variables): unknown {
    if (node.kind !== Kind.VARIABLE) return literal(node, variables);
    const name = node.name.value;
    return Object.hasOwn(variables, name) ? variables[name] : this.#fallback(name);
  }

  #fallback(variable: string): unknown {
    const definition = this.#definition?.variableDefinitions?.find((d) => d.variable.name.value === variable);
    return definition?.defaultValue && valueFromASTUntyped(definition.defaultValue);
  }
}

type Field = GraphQLField<unknown, unknown>;
const noSizes: Sizes = new Map();

function literal(node: ValueNode, variables: Variables): unknown {
  return valueFromASTUntyped(node, variables);
}

/**
 * Default if the schema does not specify it: an argument such as `first` applies to the field's list or to a
 * connection's.
 */
function conventional(field: Field, levels: number): ListSize | undefined {
  const slicingArguments = field.args.map(({ name }) => name).filter((name) => pageArguments.includes(name));
  if (slicingArguments.length === 0) return undefined;
  return {
    slicingArguments,
    assumedSize: undefined,
    sizedFields: levels === 0 ? connectionFields : [],
    requireOne: false,
  };
}

function listLevels({ type }: Field): number {
  let levels = 0;
  let current: unknown = type;
  while (isNonNullType(current) || isListType(current)) {
    if (isListType(current)) levels++;
    current = current.ofType;
  }
  return levels;
}

function notExactlyOne(node: FieldNode, slicingArguments: readonly string[], given: number): DomainError {
  const expected = `exactly one of ${slicingArguments.join(', ')}`;
  const text = `${node.name.value}: ${given} slicing arguments are given; must be ${expected}`;
  return new DomainError('BAD_USER_INPUT', text, { field: node.name.value, value: given, expected });
}
