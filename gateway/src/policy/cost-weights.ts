import {
  type ConstDirectiveNode,
  getNamedType,
  type GraphQLField,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLSchema,
  isInputObjectType,
  Kind,
  valueFromASTUntyped,
} from 'graphql';

/** Arguments of `@listSize` on a field. */
export interface ListSize {
  /** Arguments whose value is the size; a dot leads into an input object. */
  readonly slicingArguments: readonly string[];
  readonly assumedSize: number | undefined;
  /** Lists below the field to which the size applies; empty: the field's own. */
  readonly sizedFields: readonly string[];
  /** True if exactly one slicing argument must be given. */
  readonly requireOne: boolean;
}

type Marked = { readonly directives?: readonly ConstDirectiveNode[] | undefined } | null | undefined;

const known = new WeakMap<GraphQLSchema, SchemaWeights>();

/** The cost directives of a schema, under the names by which it imports them. */
export class SchemaWeights {
  readonly #costName: string | undefined;
  readonly #listSizeName: string | undefined;
  readonly #weighing = new Map<string, boolean>();

  private constructor(schema: GraphQLSchema) {
    const named = (...wanted: string[]): string | undefined =>
      schema
        .getDirectives()
        .find(({ args }) => wanted.every((argument) => args.some(({ name }) => name === argument)))?.name;
    this.#costName = named('weight');
    this.#listSizeName = named('assumedSize', 'slicingArguments');
  }

  /** The weights of a schema; read once. */
  static of(schema: GraphQLSchema): SchemaWeights {
    let weights = known.get(schema);
    if (!weights) known.set(schema, (weights = new SchemaWeights(schema)));
    return weights;
  }

  /** The weight of a field, a type, an argument or an input field; undefined if it has none. */
  of(node: Marked): number | undefined {
    if (this.#costName === undefined) return undefined;
    const weight = Number(argumentsOf(node, this.#costName)?.['weight'] ?? NaN);
    return Number.isFinite(weight) ? weight : undefined;
  }

  listSize(field: GraphQLField<unknown, unknown>): ListSize | undefined {
    const given =
      this.#listSizeName === undefined ? undefined : argumentsOf(field.astNode, this.#listSizeName);
    if (!given) return undefined;
    const { assumedSize, requireOneSlicingArgument } = given;
    return {
      slicingArguments: texts(given['slicingArguments']),
      assumedSize: typeof assumedSize === 'number' ? assumedSize : undefined,
      sizedFields: texts(given['sizedFields']),
      requireOne: requireOneSlicingArgument !== false,
    };
  }

  /** True if any field within an input type has a weight. */
  weighsInputs(type: GraphQLInputType): boolean {
    const named = getNamedType(type);
    if (this.#costName === undefined || !isInputObjectType(named)) return false;
    let weighs = this.#weighing.get(named.name);
    if (weighs === undefined) {
      weighs = this.#anyWeight(named, new Set());
      this.#weighing.set(named.name, weighs);
    }
    return weighs;
  }

  #anyWeight(type: GraphQLInputObjectType, seen: Set<GraphQLInputObjectType>): boolean {
    if (seen.has(type)) return false;
    seen.add(type);
    return Object.values(type.getFields()).some((field) => {
      const inner = getNamedType(field.type);
      return (
        this.of(field.astNode) !== undefined || (isInputObjectType(inner) && this.#anyWeight(inner, seen))
      );
    });
  }
}

/** Cost of the fields of an input value, for each time that they are given. */
export function inputCost(weights: SchemaWeights, type: GraphQLInputType, value: unknown): number {
  if (Array.isArray(value))
    return value.reduce((sum: number, item) => sum + inputCost(weights, type, item), 0);
  const named = getNamedType(type);
  if (!isInputObjectType(named) || typeof value !== 'object' || value === null) return 0;
  let sum = 0;
  for (const [name, given] of Object.entries(value)) {
    const field = named.getFields()[name];
    if (!field) continue;
    sum += weights.of(field.astNode) ?? 0;
    if (weights.weighsInputs(field.type)) sum += inputCost(weights, field.type, given);
  }
  return sum;
}

function argumentsOf(node: Marked, directive: string): Record<string, unknown> | undefined {
  const found = node?.directives?.find(({ name }) => name.value === directive);
  if (!found) return undefined;
  return Object.fromEntries(
    (found.arguments ?? []).map(({ name, value }) => [
      name.value,
      value.kind === Kind.STRING ? value.value : valueFromASTUntyped(value),
    ]),
  );
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
