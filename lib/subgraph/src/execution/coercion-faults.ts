import {
  coerceInputValue,
  GraphQLError,
  type GraphQLInputType,
  type GraphQLSchema,
  isInputObjectType,
  isListType,
  isNonNullType,
  typeFromAST,
  type VariableDefinitionNode,
} from 'graphql';
import { getVariableValues } from 'graphql/execution/values.js';
import { inspect } from 'graphql/jsutils/inspect.js';

/** True if a value fits a type as it is. */
export type Fits = (value: unknown, type: GraphQLInputType) => boolean;

/** Length of a list above which it is searched for values that do not fit. */
const longList = 100;

/** Shortens values to the parts that are wrong: long lists keep only the items that do not fit. */
class Shortener {
  readonly #fits: Fits;
  readonly #most: number;
  /** By shortened list, the original indices of its items. */
  readonly #places = new Map<unknown, readonly number[]>();

  constructor(fits: Fits, most: number) {
    this.#fits = fits;
    this.#most = most;
  }

  get isNeeded(): boolean {
    return this.#places.size > 0;
  }

  shorten(value: unknown, type: GraphQLInputType): unknown {
    if (isNonNullType(type)) return this.shorten(value, type.ofType);
    if (typeof value !== 'object' || value === null) return value;
    if (isListType(type)) return Array.isArray(value) ? this.#list(value, type.ofType) : value;
    if (!isInputObjectType(type) || Array.isArray(value)) return value;
    const fields = type.getFields();
    const entries = Object.entries(value).map(([name, inner]): [string, unknown] => {
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      return [name, field ? this.shorten(inner, field.type) : inner];
    });
    return Object.fromEntries(entries);
  }

  #list(list: readonly unknown[], type: GraphQLInputType): unknown[] {
    if (list.length <= longList) return list.map((item) => this.shorten(item, type));
    const places: number[] = [];
    for (let index = 0; index < list.length && places.length <= this.#most; index++)
      if (!this.#fits(list[index], type)) places.push(index);
    const short = places.map((index) => this.shorten(list[index], type));
    this.#places.set(short, places);
    return short;
  }

  /** The path in the original value for a path in the shortened one. */
  placeOf(shortened: unknown, path: readonly (string | number)[]): (string | number)[] {
    let value = shortened;
    return path.map((step) => {
      const place = typeof step === 'number' ? (this.#places.get(value)?.[step] ?? step) : step;
      value = (value as Record<string | number, unknown> | undefined)?.[step];
      return place;
    });
  }
}

/**
 * The errors of variables with long lists, in the wording of graphql-js, which needs microseconds for each
 * value: valid items are not passed to it. Undefined if the lists are short, or if it finds no error.
 */
export function faultsInLongLists(
  schema: GraphQLSchema,
  definitions: readonly VariableDefinitionNode[],
  variables: Readonly<Record<string, unknown>>,
  { fits, maxErrors }: { readonly fits: Fits; readonly maxErrors: number },
): GraphQLError[] | undefined {
  const shortener = new Shortener(fits, maxErrors);
  const faults: GraphQLError[] = [];
  for (const definition of definitions) {
    const name = definition.variable.name.value;
    const type = typeFromAST(schema, definition.type as never) as GraphQLInputType;
    const given = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (given === undefined || given === null) {
      const alone = given === undefined ? {} : { [name]: given };
      faults.push(...(getVariableValues(schema, [definition], alone).errors ?? []));
      continue;
    }
    const value = shortener.shorten(given, type);
    coerceInputValue(value, type, (path, invalid, error) => {
      const at = shortener
        .placeOf(value, path)
        .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`));
      const place = at.length === 0 ? '' : ` at "${name}${at.join('')}"`;
      const message = `Variable "$${name}" got invalid value ${inspect(invalid)}${place}; ${error.message}`;
      faults.push(new GraphQLError(message, { nodes: definition, originalError: error }));
    });
  }
  if (!shortener.isNeeded || faults.length === 0) return undefined;
  if (faults.length <= maxErrors) return faults;
  const more = 'Too many errors processing variables, error limit reached. Execution aborted.';
  return [...faults.slice(0, maxErrors), new GraphQLError(more)];
}
