import { type Clock, systemClock } from '@rhizome/clock';
import { type Principal } from '@rhizome/authz';
import {
  DomainError,
  type ErrorCode,
  isInternalError,
  toGraphQLError,
  withoutSuggestions,
} from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { DocumentNode, ExecutionResult, GraphQLFormattedError, OperationTypeNode } from 'graphql';
import { compilationFaults } from '../schema/compilable.js';
import type { ContextInit } from '../context/context.js';
import { expireWith } from '../streams/expiry.js';
import {
  type CompiledOperation,
  type ExecutionMode,
  type InvalidOperation,
  OperationCompiler,
} from './operation.js';
import { ResultStream } from '../streams/result-stream.js';
import { SharedResults } from './shared-results.js';
import type {
  InProcessSubgraph,
  MaybePromise,
  SubgraphCall,
  SubgraphResult,
  SubgraphSchema,
} from '../types.js';

/** Options of an in-process subgraph. */
export interface InProcessOptions {
  readonly subgraph: SubgraphSchema;
  readonly log: Logger;
  /** Default `jit`, which is used only if compiled code does the same as graphql-js. */
  readonly mode?: ExecutionMode;
  /**
   * Number of interpreted runs of an operation before it is compiled, with `jit`; default 1: a single run is
   * not worth it.
   */
  readonly interpretFirst?: number;
  /** Clock for the expiry of tokens; default: the system's. */
  readonly clock?: Clock;
}

/** A subgraph that runs its operations here. */
export interface ExecutableSubgraph extends InProcessSubgraph {
  /**
   * Execution mode: `interpreted` also if `jit` was requested and the schema does not allow it, which is
   * logged with the reasons.
   */
  readonly mode: ExecutionMode;
  /** Type of the document's operation of this name; undefined if it cannot run. */
  kindOf(document: DocumentNode, operationName: string | undefined): OperationTypeNode | undefined;
}

/**
 * Creates an in-process subgraph, called without a socket: same schema and policies, same error shape, no
 * serialisation.
 */
export function createInProcess(options: InProcessOptions): ExecutableSubgraph {
  return new Executable(options);
}

class Executable implements ExecutableSubgraph {
  readonly name: string;
  readonly sdl: string;
  readonly mode: ExecutionMode;
  readonly #subgraph: SubgraphSchema;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #compiler: OperationCompiler;

  constructor(options: InProcessOptions) {
    const { subgraph, log, mode = 'jit', interpretFirst = 1, clock = systemClock } = options;
    this.name = subgraph.name;
    this.sdl = subgraph.sdl;
    this.#subgraph = subgraph;
    this.#log = log;
    this.#clock = clock;
    this.mode = bearable(mode, subgraph, log);
    this.#compiler = new OperationCompiler(subgraph.schema, this.mode, interpretFirst);
  }

  kindOf(document: DocumentNode, operationName: string | undefined): OperationTypeNode | undefined {
    const operation = this.#compiler.compile(document, operationName);
    return 'errors' in operation ? undefined : operation.kind;
  }

  async execute(call: SubgraphCall): Promise<SubgraphResult> {
    try {
      const operation = this.#compiler.compile(call.document, call.operationName);
      if ('errors' in operation) return this.#refused(operation, call);
      if (operation.kind === 'subscription') throw notHere(operation.kind);
      return await this.#run(operation, undefined, call);
    } catch (error) {
      return this.#failed(error, call);
    }
  }

  subscribe(call: SubgraphCall): ResultStream {
    let answer: Answering | undefined;
    const stream = new ResultStream({
      open: (signal) => this.#open(call, signal),
      answer: (event, signal) => (answer ??= this.#answering(call))(event, signal),
      failed: (error) => this.#failed(error, call),
      signal: call.signal,
    });
    expireWith(stream, call.principal, this.#clock, (error) => this.#failed(error, call));
    return stream;
  }

  async #open(call: SubgraphCall, signal: AbortSignal) {
    const operation = this.#compiler.compile(call.document, call.operationName);
    if ('errors' in operation) return { only: this.#refused(operation, call) };
    if (operation.kind !== 'subscription')
      return { only: await this.#run(operation, undefined, call, signal) };
    const source = await operation.open(this.#context(call, signal), call.variables ?? {});
    if (Symbol.asyncIterator in source) return source;
    return { only: this.#shape(source, call) };
  }

  /** Returns the function that answers the events of a subscription. */
  #answering(call: SubgraphCall): Answering {
    const operation = this.#compiler.compile(call.document, call.operationName);
    if ('errors' in operation) return () => this.#refused(operation, call);
    const shared = SharedResults.of(operation, call);
    const answer = (event: unknown, signal: AbortSignal): MaybePromise<SubgraphResult> => {
      try {
        const result = this.#run(operation, event, call, signal);
        return 'then' in result ? result.catch((error: unknown) => this.#failed(error, call)) : result;
      } catch (error) {
        return this.#failed(error, call);
      }
    };
    if (!shared) return answer;
    return (event, signal) => shared.answer(event, () => answer(event, signal));
  }

  /** Every run has its own context, so that no event sees data that a loader has read for an earlier one. */
  #run(
    operation: CompiledOperation,
    event: unknown,
    call: SubgraphCall,
    signal?: AbortSignal,
  ): MaybePromise<SubgraphResult> {
    const isCancelled = signal ? signal.aborted : (call.isCancelled?.() ?? call.signal?.aborted);
    if (isCancelled) throw new DomainError('REQUEST_CANCELLED', 'The request was cancelled by its caller');
    const result = operation.run(event, this.#context(call, signal), call.variables ?? {});
    if (!('then' in result)) return this.#shape(result, call);
    return Promise.resolve(result).then((settled) => this.#shape(settled, call));
  }

  #context(call: SubgraphCall, signal: AbortSignal | undefined) {
    return this.#subgraph.createContext(new CallOfContext(call, this.#log, signal));
  }

  #shape(result: ExecutionResult, call: SubgraphCall): SubgraphResult {
    const { data, errors } = result;
    if (!errors || errors.length === 0) return { data: data ?? null };
    const shaped = errors.map((error) => this.#format(error, call));
    return data === undefined ? { errors: shaped } : { data, errors: shaped };
  }

  #refused({ errors }: InvalidOperation, call: SubgraphCall): SubgraphResult {
    return { errors: errors.map((error) => this.#format(error, call, 'GRAPHQL_VALIDATION_FAILED')) };
  }

  #failed(error: unknown, call: SubgraphCall): SubgraphResult {
    return { errors: [this.#format(error, call)] };
  }

  #format(error: unknown, call: SubgraphCall, requestErrorCode?: ErrorCode): GraphQLFormattedError {
    const { requestId } = call;
    const shaped = toGraphQLError(error, { requestId, ...(requestErrorCode ? { requestErrorCode } : {}) });
    if (isInternalError(shaped)) {
      this.#log.error(
        { err: shaped.originalError ?? error, requestId, path: shaped.path, subgraph: this.name },
        'resolver failed',
      );
    }
    const { message, ...rest } = shaped.toJSON();
    // The gateway checks operations of clients itself, and knows who may read the schema.
    return { message: withoutSuggestions(message), ...rest };
  }
}

/** Facts about a call, with a signal that is created on first access. */
class CallOfContext implements ContextInit {
  readonly principal: Principal;
  readonly requestId: string;
  readonly log: Logger;
  readonly isForwarded: boolean | undefined;
  readonly #call: SubgraphCall;
  readonly #signal: AbortSignal | undefined;

  constructor(call: SubgraphCall, log: Logger, signal: AbortSignal | undefined) {
    this.principal = call.principal;
    this.requestId = call.requestId;
    this.log = log;
    this.isForwarded = call.isForwarded;
    this.#call = call;
    this.#signal = signal;
  }

  get signal(): AbortSignal | undefined {
    return this.#signal ?? this.#call.signal;
  }
}

/** Answers one event. */
type Answering = (event: unknown, signal: AbortSignal) => MaybePromise<SubgraphResult>;

function bearable(wanted: ExecutionMode, { name, schema }: SubgraphSchema, log: Logger): ExecutionMode {
  const faults = wanted === 'jit' ? compilationFaults(schema) : [];
  if (faults.length === 0) return wanted;
  log.warn({ subgraph: name, faults }, 'operations are interpreted: compiled code would behave differently');
  return 'interpreted';
}

function notHere(kind: string): DomainError {
  return new DomainError('BAD_USER_INPUT', `A ${kind} must be opened with subscribe`, {
    field: 'query',
    value: kind,
    expected: 'query or mutation',
  });
}
