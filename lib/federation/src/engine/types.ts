import type { Principal } from '@rhizome/authz';
import type { DocumentNode, GraphQLError, GraphQLSchema } from 'graphql';
import type { Cancellation } from '../transport/cancellation.js';
import type { TransportFactory } from '../transport/transport.js';
import type { TraceRequest } from './trace.js';

/** The part of a logger that the engine needs; `Logger` of lib/log fits. */
export interface EngineLog {
  debug(fields: object, message?: string): void;
  info(fields: object, message?: string): void;
  warn(fields: object, message?: string): void;
  error(fields: object, message?: string): void;
}

/** Bounds of an engine; each has a default. */
export interface EngineLimits {
  /** Bytes of a client's document, white space and comments included. Default 1,048,576. */
  readonly documentBytes: number;
  /** Compiled operations kept, least recently used go first (about 21 kB of heap each). Default 1,000. */
  readonly cachedOperations: number;
  /** Lexical tokens of a client's document. Default 15,000. */
  readonly documentTokens: number;
  /** Fields of an operation when its fragments are written out. Default 20,000. */
  readonly expandedFields: number;
  /** Milliseconds that one call of a subgraph may take; by subgraph where named. Default 30,000. */
  readonly subgraphTimeoutMs: number;
  readonly subgraphTimeoutsMs: Readonly<Record<string, number>>;
  /** Errors that one failed fetch may add to an answer. Default 200. */
  readonly errorsPerFetch: number;
  /** CPU milliseconds that validation and planning of one operation may take. Default 2,000. */
  readonly planTimeoutMs: number;
}

/** Facts about an operation that are known before it runs, for limits, handlers and shared streams. */
export interface OperationInfo {
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly name: string | undefined;
  /** The selected operation and its fragments, printed: equal for documents that differ only in spelling. */
  readonly normalisedText: string;
  /** The selected operation with its fragments only. */
  readonly document: DocumentNode;
  /** Whether the selection touches a field marked `@perPrincipal`: such answers are never shared. */
  readonly perPrincipal: boolean;
  /** The root subscription field's cursor, where it is marked `@resumable`. */
  readonly resumable: ResumableField | undefined;
  /** Whether the root subscription field is marked `@incremental`: only its first message is complete. */
  readonly incremental?: boolean | undefined;
}

/** A root subscription field that can go on from a cursor. */
export interface ResumableField {
  /** The field's key in the answer. */
  readonly responseKey: string;
  /** The argument that takes the cursor. */
  readonly argument: string;
  /** The client's variable that feeds the argument, if one does. */
  readonly variable: string | undefined;
  /** The payload's field that holds the cursor. */
  readonly cursorField: string;
  /** The key under which the engine fetches it. */
  readonly cursorKey: string;
  /** The argument whose value `LATEST` requests the latest state instead of each event, if there is one. */
  readonly latestArgument: string | undefined;
}

/** A further check of a planned operation, for instance of depth or cost; answers the faults it finds. */
export type OperationCheck = (operation: OperationInfo, schema: GraphQLSchema) => readonly GraphQLError[];

/** A new plan. */
export interface PlanNote {
  readonly operation: OperationInfo;
  readonly planner: 'native' | 'fallback' | 'none';
  /** Reason for a plan of the fallback planner. */
  readonly fault: string | undefined;
  /** The plan in the planner's own form, for people and statistics: it is no contract. */
  readonly plan: unknown;
}

/** Options of {@link createEngine}. */
export interface EngineOptions {
  readonly supergraphSdl: string;
  readonly transports: TransportFactory;
  readonly log: EngineLog;
  readonly limits?: Partial<EngineLimits> | undefined;
  /** Run once an operation, after validation and before planning; its verdict is cached with the operation. */
  readonly checks?: readonly OperationCheck[] | undefined;
  /** Whether `__schema` and `__type` may be asked for. Default true. */
  readonly introspection?: boolean | undefined;
  /** Labels of progressive `@override(label:)` that are on; `percent(n)` labels follow the caller's subject. */
  readonly overrideLabels?: ReadonlySet<string> | undefined;
  /**
   * Whether messages of subgraph errors without a code reach the client. Default false: they are replaced,
   * since they may contain internals.
   */
  readonly uncodedMessages?: boolean | undefined;
  /** Where plans are made: in a worker process of its own (default), or on the event loop (short-lived tools, tests). */
  readonly planning?: 'worker' | 'inline' | undefined;
  /** Called with each new plan, for statistics. */
  readonly onPlan?: ((note: PlanNote) => void) | undefined;
  /** `fallback`: use the fallback planner only, which otherwise plans what the native planner fails at. For tests. */
  readonly planner?: 'native' | 'fallback' | undefined;
}

/** One client's operation. Exactly one of `query` and `document` is given. */
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
  /** The same without a signal, which costs more than the rest of a small operation; where there is one, `signal` is not looked at. */
  readonly cancellation?: Cancellation | undefined;
  /** Headers that go on to subgraphs. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The answer, or each event, shows its plan with times in `extensions.plan`. The caller checks the permission. */
  readonly trace?: TraceRequest | undefined;
  /** Introspection leaves out the root fields with these tags, and the types that only they reach. */
  readonly withoutTags?: readonly string[] | undefined;
}

/** An answer as text, ready to be sent. */
export interface ExecutionText {
  /** The JSON of one GraphQL answer: `{"data":…}`, `{"errors":…,"data":…}` or `{"errors":…}`. */
  readonly text: string;
  /**
   * `rejected`: nothing ran, the answer has no `data` (parse, validation, variables, limits): HTTP 400 under
   * `application/graphql-response+json`; `executed`: it has `data`, be it null.
   */
  readonly outcome: 'executed' | 'rejected';
  readonly kind: 'query' | 'mutation' | 'subscription' | undefined;
  /** Codes of the answer's errors, in order. Empty on success. */
  readonly codes: readonly string[];
  /** True on the last event of a subscription whose upstream was lost: it may be opened again. */
  readonly lost?: boolean | undefined;
  /** The cursor of this event, on subscription fields marked `@resumable`. */
  readonly cursor?: string | undefined;
}

/** A prepared operation or the answer that refuses it. */
export type Preparation =
  | { readonly ok: true; readonly operation: OperationInfo }
  | { readonly ok: false; readonly answer: ExecutionText };

/** An open subscription or the answer that refuses it. */
export type Subscribing =
  | { readonly ok: true; readonly events: AsyncIterableIterator<ExecutionText> }
  | { readonly ok: false; readonly answer: ExecutionText };

/** Runs operations on one supergraph, which never changes. */
export interface Engine {
  /** The schema that clients see: without inaccessible parts. */
  readonly publicSchema: GraphQLSchema;
  readonly publicSdl: string;
  /** Names and addresses of the subgraphs. */
  readonly subgraphs: readonly { readonly name: string; readonly url: string }[];
  /**
   * Parses and validates (cached), so that a handler sees the kind of operation before it runs. A cached operation is returned at once.
   * Neither throws nor rejects.
   */
  prepare(
    request: Pick<ClientRequest, 'query' | 'document' | 'operationName' | 'requestId'>,
  ): Preparation | Promise<Preparation>;
  /**
   * Runs a query or mutation. GraphQL errors are in the text; rejects only with the reason by which the request was told to end.
   * A subscription is refused here with code BAD_USER_INPUT.
   */
  execute(request: ClientRequest): Promise<ExecutionText>;
  /** Opens a subscription. A query or mutation gives one event with its answer. */
  subscribe(request: ClientRequest): Promise<Subscribing>;
  /** Compiled operations that are kept, and the bytes of their texts. */
  readonly stored: { readonly operations: number; readonly bytes: number };
  /** Counts of what runs now. */
  readonly running: { readonly operations: number; readonly subscriptions: number };
  /** Takes nothing new, waits for running operations, ends subscriptions, frees the planner and the transports. */
  close(): Promise<void>;
}
