import {
  BREAK,
  createSourceEventStream,
  type DocumentNode,
  execute,
  type ExecutionResult,
  getOperationAST,
  GraphQLError,
  GraphQLScalarType,
  GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  validate,
  visit,
} from 'graphql';
import { type CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit';
import { DomainError } from '@rhizome/errors';
import { compileCoercion, type Variables } from './coercion.js';
import type { SubgraphContext } from './context.js';

/** An operation that is valid and ready to run any number of times. */
export interface CompiledOperation {
  readonly kind: OperationTypeNode;
  /** Runs it; for a subscription, on one event. */
  run(
    event: unknown,
    context: SubgraphContext,
    variables: Variables,
  ): ExecutionResult | PromiseLike<ExecutionResult>;
  /** Opens a subscription's source, or says what is wrong. */
  open(context: SubgraphContext, variables: Variables): Promise<AsyncIterable<unknown> | ExecutionResult>;
}

/** An operation that cannot run: the document does not fit the schema, or does not have it. */
export interface InvalidOperation {
  readonly errors: readonly (GraphQLError | DomainError)[];
}

/** `jit`: operations are compiled to code, and those that cannot be are interpreted; `interpreted`: none are. */
export type ExecutionMode = 'jit' | 'interpreted';

/** Compiles each document once; what was made of it lives as long as the document does. */
export class OperationCompiler {
  readonly #schema: GraphQLSchema;
  readonly #compilable: GraphQLSchema;
  readonly #mode: ExecutionMode;
  readonly #compiled = new WeakMap<DocumentNode, Map<string, CompiledOperation | InvalidOperation>>();

  constructor(schema: GraphQLSchema, mode: ExecutionMode) {
    this.#schema = schema;
    this.#compilable = withCoercedScalar(schema);
    this.#mode = mode;
  }

  /** The operation of this name, or the only one. */
  compile(document: DocumentNode, operationName: string | undefined): CompiledOperation | InvalidOperation {
    let byName = this.#compiled.get(document);
    if (!byName) this.#compiled.set(document, (byName = new Map()));
    const name = operationName ?? '';
    let operation = byName.get(name);
    if (!operation) byName.set(name, (operation = this.#make(document, operationName)));
    return operation;
  }

  #make(document: DocumentNode, operationName: string | undefined): CompiledOperation | InvalidOperation {
    const errors = validate(this.#schema, document);
    if (errors.length > 0) return { errors };
    const node = getOperationAST(document, operationName);
    if (!node) {
      const message = operationName
        ? `Unknown operation named "${operationName}"`
        : 'The document has several operations: name one by operationName';
      return { errors: [new DomainError('OPERATION_RESOLUTION_FAILURE', message)] };
    }
    const args = { schema: this.#schema, document, operationName };
    return {
      kind: node.operation,
      run: this.#runner(document, node),
      open: (contextValue, variableValues) =>
        createSourceEventStream({ ...args, contextValue, variableValues }),
    };
  }

  #runner(document: DocumentNode, node: OperationDefinitionNode): CompiledOperation['run'] {
    const operationName = node.name?.value;
    const schema = this.#schema;
    const compiled =
      this.#mode === 'jit' ? compileToCode(this.#compilable, document, operationName) : undefined;
    if (!compiled) {
      return (rootValue, contextValue, variableValues) =>
        execute({ schema, document, operationName, rootValue, contextValue, variableValues });
    }
    const coerce = coercion(schema, node);
    return async (event, context, variables) => {
      const { coerced, errors } = coerce(variables);
      if (errors) return { errors };
      return wholeErrors(await compiled.query(event, context, coerced));
    };
  }
}

/** Coerces variables; those of a subscription once, though it runs for each of its events: they may be long lists. */
function coercion(schema: GraphQLSchema, definition: OperationDefinitionNode) {
  const coerce = compileCoercion(schema, definition);
  if (definition.operation !== OperationTypeNode.SUBSCRIPTION) return coerce;
  const known = new WeakMap<Variables, ReturnType<typeof coerce>>();
  return (variables: Variables) => {
    const found = known.get(variables) ?? coerce(variables);
    known.set(variables, found);
    return found;
  };
}

const coercedName = 'rhizome__Coerced';

/**
 * The schema with one more scalar, that takes a value as it is. Variables are coerced by graphql-js, which knows default values of
 * non-null input fields and `@oneOf`; the compiler's own coercion knows neither, so its documents declare their variables with this type.
 */
function withCoercedScalar(schema: GraphQLSchema): GraphQLSchema {
  const config = schema.toConfig();
  const scalar = new GraphQLScalarType({ name: coercedName, parseValue: (value) => value });
  return new GraphQLSchema({ ...config, types: [...config.types, scalar], assumeValid: true });
}

/** The document with all its variables declared as already coerced, and absent where they are. */
function withCoercedVariables(document: DocumentNode): DocumentNode {
  return visit(document, {
    VariableDefinition: (definition) => ({
      ...definition,
      type: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: coercedName } } as const,
      defaultValue: undefined,
    }),
  });
}

/** The operation as code; undefined for the few that the compiler does not know how to do. */
function compileToCode(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | undefined,
): CompiledQuery | undefined {
  // The compiler writes null where an absent variable stands in an input object, and loses the field's default value.
  if (hasVariableInObject(document)) return undefined;
  try {
    const compiled = compileQuery(schema, withCoercedVariables(document), operationName, {
      disablingCapturingStackErrors: true,
    });
    return isCompiledQuery(compiled) ? compiled : undefined;
  } catch {
    return undefined;
  }
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

/** Errors of compiled code lack what every GraphQLError has: its extensions. */
function wholeErrors(result: ExecutionResult): ExecutionResult {
  if (!result.errors) return result;
  const errors = result.errors.map((error) =>
    (error.extensions as unknown) === undefined
      ? new GraphQLError(error.message, { path: error.path, originalError: error.originalError })
      : error,
  );
  return { ...result, errors };
}
