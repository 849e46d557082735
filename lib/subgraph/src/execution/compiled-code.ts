import {
  BREAK,
  defaultFieldResolver,
  type DocumentNode,
  type ExecutionResult,
  getNamedType,
  type GraphQLField,
  GraphQLError,
  type GraphQLLeafType,
  GraphQLScalarType,
  GraphQLSchema,
  isLeafType,
  isNonNullType,
  isObjectType,
  Kind,
  visit,
} from 'graphql';
import { type CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit';
import type { SubgraphContext } from '../context/types.js';

/** An operation as code; its variables are coerced already. */
export type Code = (
  root: unknown,
  context: SubgraphContext,
  variables: Readonly<Record<string, unknown>>,
) => ExecutionResult | Promise<ExecutionResult>;

type AnyField = GraphQLField<unknown, unknown>;

const coercedName = 'rhizome__Coerced';

/** Compiles operations on one schema. */
export class CodeCompiler {
  readonly #schema: GraphQLSchema;
  /** Leaves that are read by their name, which needs no resolver as long as the values are plain. */
  readonly #plainFields: readonly AnyField[];
  readonly #leafTypes: readonly GraphQLLeafType[];

  constructor(schema: GraphQLSchema) {
    this.#schema = withCoercedScalar(schema);
    this.#plainFields = plainFieldsOf(schema);
    this.#leafTypes = Object.values(schema.getTypeMap()).filter(isLeafType);
  }

  /** The operation as code; undefined for the few operations that the compiler does not support. */
  compile(document: DocumentNode, operationName: string | undefined, isQuery: boolean): Code | undefined {
    // The compiler writes null for an absent variable in an input object, and loses the default value of the
    // field.
    if (hasVariableInObject(document)) return undefined;
    const declared = withCoercedVariables(document);
    const whole = lazily(() => this.#compile(declared, operationName, {}));
    if (!isQuery) {
      const made = whole();
      return (
        made &&
        ((root, context, variables) => {
          // Without asynchronous values the answer is synchronous; for events of streams this is the usual
          // case.
          const result = made.query(root, context, variables);
          return 'then' in result ? result.then(wholeErrors) : wholeErrors(result);
        })
      );
    }
    return this.#query(declared, operationName, whole);
  }

  /**
   * Runs a query without calling a resolver for each leaf, which is most of the work of compiled code.
   * graphql-js calls values that are functions and awaits promises: if such a value occurs, the query runs
   * once more with all its resolvers, and does so from then on. It then reads twice, and changes nothing.
   */
  #query(
    document: DocumentNode,
    operationName: string | undefined,
    whole: () => CompiledQuery | undefined,
  ): Code | undefined {
    const live = { met: false };
    const customSerializers = Object.fromEntries(
      this.#leafTypes.map((type) => [type.name, watchedSerializer(type, live)]),
    );
    const plain = withoutResolvers(this.#plainFields, () =>
      this.#compile(document, operationName, { customSerializers }),
    );
    if (!plain) return undefined;
    return async (root, context, variables) => {
      if (!live.met) {
        const result = await attempt(() => plain.query(root, context, variables));
        if (!live.met && result) return wholeErrors(result);
        live.met = true;
      }
      const made = whole();
      if (!made) throw new Error('recompiling an operation failed');
      return wholeErrors(await made.query(root, context, variables));
    };
  }

  #compile(
    document: DocumentNode,
    operationName: string | undefined,
    options: Parameters<typeof compileQuery>[3],
  ): CompiledQuery | undefined {
    try {
      const compiled = compileQuery(this.#schema, document, operationName, {
        disablingCapturingStackErrors: true,
        ...options,
      });
      return isCompiledQuery(compiled) ? compiled : undefined;
    } catch {
      return undefined;
    }
  }
}

function plainFieldsOf(schema: GraphQLSchema): AnyField[] {
  const fields: AnyField[] = [];
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) {
      const bare = isNonNullType(field.type) ? field.type.ofType : field.type;
      if (field.resolve === defaultFieldResolver && bare === getNamedType(field.type) && isLeafType(bare))
        fields.push(field);
    }
  }
  return fields;
}

/**
 * The compiler takes resolvers from the schema only while it compiles: these leaves have none during that
 * time.
 */
function withoutResolvers<T>(fields: readonly AnyField[], compile: () => T): T {
  for (const field of fields) field.resolve = undefined;
  try {
    return compile();
  } finally {
    for (const field of fields) field.resolve = defaultFieldResolver;
  }
}

/** A serializer that reports values that are not plain. */
function watchedSerializer(type: GraphQLLeafType, live: { met: boolean }): (value: unknown) => unknown {
  return (value) => {
    if (typeof value === 'function' || (typeof value === 'object' && isThenable(value))) live.met = true;
    return type.serialize(value);
  };
}

function isThenable(value: object | null): boolean {
  return typeof (value as { then?: unknown } | null)?.then === 'function';
}

/** Reading a value without a resolver may throw: undefined then. */
async function attempt(
  run: () => ExecutionResult | PromiseLike<ExecutionResult>,
): Promise<ExecutionResult | undefined> {
  try {
    return await run();
  } catch {
    return undefined;
  }
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/**
 * The schema with an additional scalar that takes any value as it is. Variables are coerced by graphql-js,
 * which supports default values of non-null input fields and `@oneOf`; the compiler's own coercion supports
 * neither, so its documents declare their variables with this type.
 */
function withCoercedScalar(schema: GraphQLSchema): GraphQLSchema {
  const config = schema.toConfig();
  const scalar = new GraphQLScalarType({ name: coercedName, parseValue: (value) => value });
  return new GraphQLSchema({ ...config, types: [...config.types, scalar], assumeValid: true });
}

/** The document with all its variables declared as already coerced, and without those that are absent. */
function withCoercedVariables(document: DocumentNode): DocumentNode {
  return visit(document, {
    VariableDefinition: (definition) => ({
      ...definition,
      type: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: coercedName } } as const,
      defaultValue: undefined,
    }),
  });
}

function hasVariableInObject(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    ObjectField: (field) => {
      visit(field, { Variable: () => void (found = true) });
      return found ? BREAK : undefined;
    },
  });
  return found;
}

/** Errors of compiled code lack the extensions that every GraphQLError has. */
function wholeErrors(result: ExecutionResult): ExecutionResult {
  if (!result.errors) return result;
  const errors = result.errors.map((error) =>
    (error.extensions as unknown) === undefined
      ? new GraphQLError(error.message, { path: error.path, originalError: error.originalError })
      : error,
  );
  return { ...result, errors };
}
