import {
  type GraphQLInputType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isScalarType,
  type OperationDefinitionNode,
  typeFromAST,
  type VariableDefinitionNode,
  valueFromAST,
} from 'graphql';
import { getVariableValues } from 'graphql/execution/values.js';
import { faultsInLongLists } from './coercion-faults.js';

/** Values of variables as received. */
export type Variables = Readonly<Record<string, unknown>>;

/** Values by the types of their variables, or the errors in them. */
export type Coerced = ReturnType<typeof getVariableValues>;

/** Maximum number of reported errors in one request's variables. */
const maxReportedErrors = 50;

/**
 * Compiles the coercion of an operation's variables. The result equals that of graphql-js: valid values are
 * coerced by functions created once per operation; invalid ones are passed to graphql-js, which words the
 * errors.
 */
export function compileCoercion(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: Pick<OperationDefinitionNode, 'variableDefinitions'>,
  maxErrors = maxReportedErrors,
): (variables: Variables) => Coerced {
  const made = coercersOf(schema);
  const fits = (value: unknown, type: GraphQLInputType): boolean => made.of(type)(value) !== wrong;
  const slow = (variables: Variables): Coerced => {
    const errors = faultsInLongLists(schema, variableDefinitions, variables, { fits, maxErrors });
    return errors ? { errors } : getVariableValues(schema, variableDefinitions, variables, { maxErrors });
  };
  const fast: Variable[] = [];
  for (const definition of variableDefinitions) {
    const variable = compileVariable(schema, definition, made);
    if (!variable) return slow;
    fast.push(variable);
  }
  return (variables) => {
    // Clients choose the names of variables: none may be confused with an inherited property.
    const coerced = Object.create(null) as Record<string, unknown>;
    for (const { name, coerce, fallback } of fast) {
      if (!Object.hasOwn(variables, name)) {
        if (fallback === missing) return slow(variables);
        if (fallback !== undefined) coerced[name] = fallback();
        continue;
      }
      const value = coerce(variables[name]);
      if (value === wrong) return slow(variables);
      coerced[name] = value;
    }
    return { coerced };
  };
}

/** Marks a value that does not fit. */
const wrong = Symbol('wrong');
/** Marks a required variable that is missing. */
const missing = Symbol('missing');

type Coerce = (value: unknown) => unknown;

interface Variable {
  readonly name: string;
  readonly coerce: Coerce;
  /**
   * The default value, created for each request, since a resolver may change its arguments. Undefined: absent
   * remains absent.
   */
  readonly fallback: (() => unknown) | typeof missing | undefined;
}

function compileVariable(
  schema: GraphQLSchema,
  { variable, type, defaultValue }: VariableDefinitionNode,
  made: Coercers,
): Variable | undefined {
  const declared = typeFromAST(schema, type as never) as GraphQLInputType | undefined;
  if (!declared) return undefined;
  const fallback = defaultValue
    ? () => valueFromAST(defaultValue, declared)
    : isNonNullType(declared)
      ? missing
      : undefined;
  return { name: variable.name.value, coerce: made.of(declared), fallback };
}

interface InputField {
  readonly name: string;
  readonly coerce: Coerce;
  readonly isRequired: boolean;
  readonly defaultValue: unknown;
}

const ofSchemas = new WeakMap<GraphQLSchema, Coercers>();

function coercersOf(schema: GraphQLSchema): Coercers {
  let made = ofSchemas.get(schema);
  if (!made) ofSchemas.set(schema, (made = new Coercers()));
  return made;
}

/** Functions that coerce values, one per type. */
class Coercers {
  readonly #byType = new Map<GraphQLInputType, Coerce>();

  of(type: GraphQLInputType): Coerce {
    let coerce = this.#byType.get(type);
    if (!coerce) {
      // An input object may contain itself.
      let known: Coerce | undefined;
      this.#byType.set(type, (value) => (known ? known(value) : wrong));
      coerce = known = this.#make(type);
      this.#byType.set(type, coerce);
    }
    return coerce;
  }

  #make(type: GraphQLInputType): Coerce {
    if (isNonNullType(type)) {
      const inner = this.of(type.ofType);
      return (value) => (value === null || value === undefined ? wrong : inner(value));
    }
    const some = this.#some(type);
    return (value) => (value === null || value === undefined ? null : some(value));
  }

  /** Coerces values that are not null. */
  #some(type: GraphQLInputType): Coerce {
    if (isListType(type)) return listOf(this.of(type.ofType));
    if (isScalarType(type)) return parsed((value) => type.parseValue(value));
    if (isEnumType(type)) return parsed((value) => type.parseValue(value));
    if (!isInputObjectType(type)) return () => wrong;
    const fields = Object.values(type.getFields()).map((field): InputField => ({
      name: field.name,
      coerce: this.of(field.type),
      isRequired: isNonNullType(field.type),
      defaultValue: field.defaultValue,
    }));
    const names = new Set(fields.map(({ name }) => name));
    return (value) => object(value as object, fields, names, type.isOneOf);
  }
}

function listOf(item: Coerce): Coerce {
  return (value) => {
    if (!Array.isArray(value)) {
      // Any iterable is a list, and any other value is a list of one: graphql-js handles both.
      return wrong;
    }
    const list = new Array<unknown>(value.length);
    for (let index = 0; index < value.length; index++) {
      const coerced = item(value[index]);
      if (coerced === wrong) return wrong;
      list[index] = coerced;
    }
    return list;
  };
}

function parsed(parse: Coerce): Coerce {
  return (value) => {
    try {
      const result = parse(value);
      return result === undefined ? wrong : result;
    } catch {
      return wrong;
    }
  };
}

function object(
  value: object,
  fields: readonly InputField[],
  names: ReadonlySet<string>,
  isOneOf: boolean,
): unknown {
  if (typeof value !== 'object' || Array.isArray(value)) return wrong;
  const given = value as Record<string, unknown>;
  const coerced: Record<string, unknown> = {};
  for (const field of fields) {
    const own = given[field.name];
    if (own === undefined) {
      if (field.defaultValue !== undefined) coerced[field.name] = field.defaultValue;
      else if (field.isRequired) return wrong;
      continue;
    }
    const result = field.coerce(own);
    if (result === wrong) return wrong;
    coerced[field.name] = result;
  }
  for (const name of Object.keys(given)) if (!names.has(name)) return wrong;
  if (isOneOf) {
    const [only, ...others] = Object.values(coerced);
    if (only === undefined || only === null || others.length > 0) return wrong;
  }
  return coerced;
}
