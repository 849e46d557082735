import type { Principal } from '@rhizome/authz';
import type { DocumentNode } from 'graphql';
import type { SignalledEnd } from './cancellation.js';

/**
 * One operation that a plan sends to one subgraph. Created once when a client's operation is compiled, and
 * then the same object for every request, so that a transport may keep derived data in a WeakMap.
 */
export interface SubgraphOperation {
  /** The subgraph's name as the supergraph spells it. */
  readonly subgraph: string;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly documentText: string;
  readonly document: DocumentNode;
  readonly operationName?: string | undefined;
}

/** One call of a {@link SubgraphOperation}. */
export interface SubgraphRequest {
  readonly operation: SubgraphOperation;
  /**
   * Variables as JSON text, for transports with `wire: 'text'`; `undefined` if there are none.
   * If there are variables, exactly one of this and {@link variables} is set.
   */
  readonly variablesText?: string | undefined;
  /** Variables as objects, for transports with `wire: 'objects'`. A transport must not change them. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  /** The caller; undefined only if authentication is disabled. */
  readonly principal?: Principal | undefined;
  /**
   * Stable text that identifies what the principal may see: requests of one scope may share a connection.
   * Principals with equal rights have equal scopes although their tokens differ.
   */
  readonly scope: string;
  readonly requestId: string;
  /**
   * True if the answers to the events of a subscription are only read: all subscribers of one scope may get
   * the same object.
   */
  readonly sharesAnswers?: boolean | undefined;
  /** Headers of the client's request that are forwarded to subgraphs. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * Milliseconds for which the call may wait by itself, for example until there is work; its answer may take
   * this much longer. A transport should not let it delay other calls.
   */
  readonly waitMs?: number | undefined;
  /**
   * Ends the call: the client has disconnected, or the timeout has passed. Created on first access, so read
   * it only to use it.
   */
  readonly signal?: AbortSignal | undefined;
  /** End of the call without a signal; if set, `signal` belongs to it. */
  readonly cancellation?: SignalledEnd | undefined;
}

/** A GraphQL error in a subgraph's answer. */
export interface SubgraphError {
  readonly message: string;
  readonly path?: readonly (string | number)[] | undefined;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * A subgraph's answer. The engine then owns `data` and merges into it, so a transport returns a
 * new object for each call unless specified otherwise; the engine never changes values of scalar fields.
 */
export interface SubgraphResult {
  readonly data?: Record<string, unknown> | null | undefined;
  readonly errors?: readonly SubgraphError[] | undefined;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

/** The events of a subscription. */
export interface SubgraphStream extends AsyncIterable<SubgraphResult> {
  /**
   * Resolves when the connection to the subgraph is open, if that is known before the first event. Never
   * rejects.
   */
  readonly opened?: Promise<void> | undefined;
}

/**
 * Connection of the engine to one subgraph. Failures of the connection itself (refused, timed out, invalid,
 * too large) are thrown as DomainError with code DOWNSTREAM_SERVICE_ERROR, SERVICE_UNAVAILABLE or
 * LIMIT_EXCEEDED; an abort by the request's signal is thrown as the signal's reason.
 */
export interface Transport {
  /** Form of the variables: JSON text for the wire, or objects for an in-process call. */
  readonly wire: 'text' | 'objects';
  /** Runs a query or mutation. */
  execute(request: SubgraphRequest): Promise<SubgraphResult>;
  /**
   * Opens a subscription; returning the iterator ends it upstream immediately, even between events. The
   * iterator may be a `DirectSource` of results or of promises of them, which never reject.
   */
  subscribe(request: SubgraphRequest): SubgraphStream;
  /** Releases sockets; calls in flight end first. */
  close(): Promise<void>;
}

/** Gives the principal of a request as one subgraph sees it. */
export type PrincipalFor = (principal: Principal, subgraph: string) => Principal;

/** Creates the transport of a subgraph; the engine calls it once per subgraph and closes the transport. */
export type TransportFactory = (subgraph: string, url: string) => Transport;
