import {
  createSourceEventStream,
  type DocumentNode,
  execute,
  type ExecutionResult,
  getOperationAST,
  type GraphQLError,
  type GraphQLSchema,
  type OperationDefinitionNode,
  OperationTypeNode,
  validate,
} from 'graphql';
import { DomainError } from '@rhizome/errors';
import { CodeCompiler } from './compiled-code.js';
import { compileCoercion, type Variables } from './coercion.js';
import type { SubgraphContext } from '../context/types.js';
import { answerVariables, type SharedOperation } from './shared-results.js';

/** An operation that is valid and can run any number of times. */
export interface CompiledOperation extends SharedOperation {
  readonly kind: OperationTypeNode;
  /** Runs it; for a subscription, on one event. */
  run(
    event: unknown,
    context: SubgraphContext,
    variables: Variables,
  ): ExecutionResult | PromiseLike<ExecutionResult>;
  /** Opens a subscription's source, or returns the errors. */
  open(context: SubgraphContext, variables: Variables): Promise<AsyncIterable<unknown> | ExecutionResult>;
}

/** An operation that cannot run: the document does not fit the schema, or does not contain the operation. */
export interface InvalidOperation {
  readonly errors: readonly (GraphQLError | DomainError)[];
}

/**
 * `jit`: operations are compiled to code, and interpreted if that is not possible; `interpreted`: none are
 * compiled.
 */
export type ExecutionMode = 'jit' | 'interpreted';

/** Compiles each document once; the result is kept as long as the document is. */
export class OperationCompiler {
  readonly #schema: GraphQLSchema;
  readonly #mode: ExecutionMode;
  #compiler: CodeCompiler | undefined;
  readonly #interpretFirst: number;
  readonly #compiled = new WeakMap<DocumentNode, Map<string, CompiledOperation | InvalidOperation>>();

  /**
   * @param interpretFirst number of interpreted runs of an operation before it is compiled to code: compiling
   *   takes ten times as long as one run, and most operations that people send run once
   */
  constructor(schema: GraphQLSchema, mode: ExecutionMode, interpretFirst = 0) {
    this.#schema = schema;
    this.#interpretFirst = interpretFirst;
    this.#mode = mode;
  }

  /** The operation of this name, or the only one. */
  compile(document: DocumentNode, operationName: string | undefined): CompiledOperation | InvalidOperation {
    let byName = this.#compiled.get(document);
    if (!byName) this.#compiled.set(document, (byName = new Map()));
    const name = operationName ?? '';
    let operation = byName.get(name);
    if (!operation) {
      operation = this.#make(document, operationName);
      // The number of names without an operation is unlimited: they are not cached.
      if (byName.size <= document.definitions.length) byName.set(name, operation);
    }
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
      answerVariables: answerVariables(document, node),
      latest: undefined,
      run: this.#runner(document, node),
      open: (contextValue, variableValues) =>
        createSourceEventStream({ ...args, contextValue, variableValues }),
    };
  }

  #runner(document: DocumentNode, node: OperationDefinitionNode): CompiledOperation['run'] {
    const operationName = node.name?.value;
    const schema = this.#schema;
    const interpret: CompiledOperation['run'] = (rootValue, contextValue, variableValues) =>
      execute({ schema, document, operationName, rootValue, contextValue, variableValues });
    if (this.#mode === 'interpreted') return interpret;
    let interpreted = 0;
    let compiled: CompiledOperation['run'] | undefined;
    return (event, context, variables) => {
      // Coercion by interpretation takes several times as long: thousands of values pay for the compilation.
      const isInterpreted = !compiled && interpreted++ < this.#interpretFirst && !isLarge(variables);
      if (isInterpreted) return interpret(event, context, variables);
      compiled ??= this.#coded(document, node) ?? interpret;
      return compiled(event, context, variables);
    };
  }

  /** The operation as code; undefined if it cannot be compiled. */
  #coded(document: DocumentNode, node: OperationDefinitionNode): CompiledOperation['run'] | undefined {
    const isQuery = node.operation === OperationTypeNode.QUERY;
    // Created on first use: it builds a schema of its own, and many subgraphs are rebuilt with each
    // supergraph.
    this.#compiler ??= new CodeCompiler(this.#schema);
    const code = this.#compiler.compile(document, node.name?.value, isQuery);
    if (!code) return undefined;
    const coerce = coercion(this.#schema, node);
    return (event, context, variables) => {
      const { coerced, errors } = coerce(variables);
      if (errors) return { errors };
      return code(event, context, coerced);
    };
  }
}

/** Values from which variables are large. */
const manyValues = 2_000;

/** True if the variables contain many values. */
function isLarge(variables: Variables): boolean {
  let left = manyValues;
  const visit = (value: unknown): void => {
    left -= 1;
    if (left <= 0 || typeof value !== 'object' || value === null) return;
    for (const one of Array.isArray(value) ? value : Object.values(value)) {
      visit(one);
      if (left <= 0) return;
    }
  };
  visit(variables);
  return left <= 0;
}

/**
 * Coerces variables; those of a subscription once, although it runs for each of its events: they may be long
 * lists.
 */
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
