import type { Principal } from '@rhizome/authz';
import type { DocumentNode, GraphQLError, GraphQLSchema } from 'graphql';
import type { SignalledEnd } from '../transport/cancellation.js';
import type { PrincipalFor, TransportFactory } from '../transport/transport.js';
import type { TraceRequest } from './trace.js';

/** The part of a logger that the engine needs; `Logger` of lib/log fits. */
export interface EngineLog {
  debug(fields: object, message?: string): void;
  info(fields: object, message?: string): void;
  warn(fields: object, message?: string): void;
  error(fields: object, message?: string): void;
}

/** Limits of an engine; each has a default. */
export interface EngineLimits {
  /** Maximum size of a client's document in bytes, white space and comments included. Default 1,048,576. */
  readonly documentBytes: number;
  /**
   * Maximum number of compiled operations in the cache (about 21 kB of heap each); the least recently used
   * are evicted. Default 1,000.
   */
  readonly cachedOperations: number;
  /** Maximum number of lexical tokens in a client's document. Default 15,000. */
  readonly documentTokens: number;
  /** Maximum number of fields of an operation after its fragments are inlined. Default 20,000. */
  readonly expandedFields: number;
  /** Timeout of one call of a subgraph in milliseconds; by subgraph where named. Default 30,000. */
  readonly subgraphTimeoutMs: number;
  readonly subgraphTimeoutsMs: Readonly<Record<string, number>>;
  /** Maximum number of errors that one failed fetch adds to an answer. Default 200. */
  readonly errorsPerFetch: number;
  /** CPU time that validation and planning of one operation may take, in milliseconds. Default 2,000. */
  readonly planTimeoutMs: number;
}

/** Facts about an operation that are known before it runs, for limits, handlers and shared streams. */
export interface OperationInfo {
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly name: string | undefined;
  /**
   * The selected operation and its fragments, printed: equal for documents that differ only in formatting.
   */
  readonly normalisedText: string;
  /** The selected operation with its fragments only. */
  readonly document: DocumentNode;
  /** True if the selection includes a field marked `@perPrincipal`: such answers are never shared. */
  readonly perPrincipal: boolean;
  /** Cursor of the root subscription field, if the field is marked `@resumable`. */
  readonly resumable: ResumableField | undefined;
  /** True if the root subscription field is marked `@incremental`: only its first message is complete. */
  readonly incremental?: boolean | undefined;
}

/** A root subscription field that can resume from a cursor. */
export interface ResumableField {
  /** Response key of the field. */
  readonly responseKey: string;
  /** Argument that takes the cursor. */
  readonly argument: string;
  /** Client's variable that supplies the argument, if any. */
  readonly variable: string | undefined;
  /** Field of the payload that has the cursor. */
  readonly cursorField: string;
  /** Key under which the engine fetches it. */
  readonly cursorKey: string;
  /** Argument whose value `LATEST` requests the latest state instead of each event, if any. */
  readonly latestArgument: string | undefined;
}

/**
 * An additional check of a planned operation, for example of its depth or cost; returns the errors it finds.
 */
export type OperationCheck = (operation: OperationInfo, schema: GraphQLSchema) => readonly GraphQLError[];

/** A new plan. */
export interface PlanNote {
  readonly operation: OperationInfo;
  readonly planner: 'native' | 'fallback' | 'none';
  /** Reason if the fallback planner created the plan. */
  readonly fault: string | undefined;
  /** The plan in the planner's own form, for people and statistics; not a stable format. */
  readonly plan: unknown;
}

/** Options of {@link createEngine}. */
export interface EngineOptions {
  readonly supergraphSdl: string;
  readonly transports: TransportFactory;
  readonly log: EngineLog;
  readonly limits?: Partial<EngineLimits> | undefined;
  /**
   * Called once per operation, after validation and before planning; the result is cached with the operation.
   */
  readonly checks?: readonly OperationCheck[] | undefined;
  /** Allows introspection (`__schema` and `__type`). Default true. */
  readonly introspection?: boolean | undefined;
  /**
   * Labels of progressive `@override(label:)` that are on; `percent(n)` labels follow the caller's subject.
   */
  readonly overrideLabels?: ReadonlySet<string> | undefined;
  /**
   * Returns messages of subgraph errors without a code to the client. Default false: they are masked,
   * since they may contain internals.
   */
  readonly uncodedMessages?: boolean | undefined;
  /** Narrows the principal of a request to what one subgraph may see of it. Default: the principal itself. */
  readonly principalFor?: PrincipalFor | undefined;
  /**
   * Where plans are created: in a separate process (default), or on the event loop (short-lived tools,
   * tests).
   */
  readonly planning?: 'worker' | 'inline' | undefined;
  /** Called with each new plan, for statistics. */
  readonly onPlan?: ((note: PlanNote) => void) | undefined;
  /**
   * `fallback`: use only the fallback planner, which otherwise plans the operations that the native planner
   * fails at. For tests.
   */
  readonly planner?: 'native' | 'fallback' | undefined;
}

/** One client's operation. Exactly one of `query` and `document` is set. */
export interface ClientRequest {
  readonly query?: string | undefined;
  readonly document?: DocumentNode | undefined;
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
  readonly principal?: Principal | undefined;
  /** See `SubgraphRequest.scope`; defaults to the principal's kind and subject. */
  readonly scope?: string | undefined;
  readonly requestId: string;
  readonly signal?: AbortSignal | undefined;
  /**
   * End of the request without a signal, which costs more than the rest of a small operation; if set,
   * `signal` is ignored.
   */
  readonly cancellation?: SignalledEnd | undefined;
  /** Headers that are forwarded to subgraphs. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * Adds the plan to the answer, or to each event, with times in `extensions.plan`. The caller checks the
   * permission.
   */
  readonly trace?: TraceRequest | undefined;
  /**
   * Milliseconds for which the operation may wait in a subgraph by itself, in addition to the timeout of its
   * calls.
   */
  readonly waitMs?: number | undefined;
  /** Introspection leaves out the root fields with these tags, and the types that only they reach. */
  readonly withoutTags?: readonly string[] | undefined;
}

/** An answer as text, ready to be sent. */
export interface ExecutionText {
  /** The JSON of one GraphQL answer: `{"data":…}`, `{"errors":…,"data":…}` or `{"errors":…}`. */
  readonly text: string;
  /**
   * `rejected`: nothing ran, the answer has no `data` (parse, validation, variables, limits): HTTP 400 under
   * `application/graphql-response+json`; `executed`: the answer has `data`, which may be null.
   */
  readonly outcome: 'executed' | 'rejected';
  readonly kind: 'query' | 'mutation' | 'subscription' | undefined;
  /** Codes of the errors in the answer, in order. Empty on success. */
  readonly codes: readonly string[];
  /** True on the last event of a subscription whose upstream was lost: it may be reopened. */
  readonly lost?: boolean | undefined;
  /** The cursor of this event, on subscription fields marked `@resumable`. */
  readonly cursor?: string | undefined;
}

/** A prepared operation, or the answer that rejects it. */
export type Preparation =
  | { readonly ok: true; readonly operation: OperationInfo }
  | { readonly ok: false; readonly answer: ExecutionText };

/** An open subscription, or the answer that rejects it. */
export type Subscribing =
  | { readonly ok: true; readonly events: AsyncIterableIterator<ExecutionText> }
  | { readonly ok: false; readonly answer: ExecutionText };

/** Runs operations on one supergraph, which never changes. */
export interface Engine {
  /** The schema that clients see: without inaccessible elements. */
  readonly publicSchema: GraphQLSchema;
  readonly publicSdl: string;
  /** Names and addresses of the subgraphs. */
  readonly subgraphs: readonly { readonly name: string; readonly url: string }[];
  /** True if the operation is compiled, or being compiled: then it costs little to prepare. */
  isPrepared(request: Pick<ClientRequest, 'query' | 'operationName'>): boolean;
  /**
   * Parses and validates (cached), so that a handler knows the kind of operation before it runs. A cached
   * operation is returned synchronously. Neither throws nor rejects.
   */
  prepare(
    request: Pick<ClientRequest, 'query' | 'document' | 'operationName' | 'requestId'>,
  ): Preparation | Promise<Preparation>;
  /**
   * Runs a query or mutation. GraphQL errors are in the text; rejects only with the reason for which the
   * request was cancelled. A subscription is rejected with code BAD_USER_INPUT.
   */
  execute(request: ClientRequest): Promise<ExecutionText>;
  /** Opens a subscription. A query or mutation returns one event with its answer. */
  subscribe(request: ClientRequest): Promise<Subscribing>;
  /** Number of compiled operations in the cache, and the bytes of their texts. */
  readonly stored: { readonly operations: number; readonly bytes: number };
  /** Number of running operations and subscriptions. */
  readonly running: { readonly operations: number; readonly subscriptions: number };
  /**
   * Accepts no new operations, waits for running ones, ends subscriptions, and releases the planner and the
   * transports.
   */
  close(): Promise<void>;
}
