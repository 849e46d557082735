import type { Principal } from '@rhizome/authz';
import type { DocumentNode } from 'graphql';
import type { Cancellation } from './cancellation.js';

/**
 * One operation that a plan sends to one subgraph. Made once when a client's operation is compiled and then
 * the same object for every request, so that a transport may keep what it derives from it in a WeakMap.
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
   * The variables as JSON text, for transports that say `wire: 'text'`; `undefined` where there are none.
   * Exactly one of this and {@link variables} is set when there are variables.
   */
  readonly variablesText?: string | undefined;
  /** The variables as objects, for transports that say `wire: 'objects'`. A transport must not change them. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  /** The caller; undefined only if authentication is disabled. */
  readonly principal?: Principal | undefined;
  /**
   * Stable text of what the principal may see: requests of one scope may share a connection.
   * Principals with equal rights have equal scopes although their tokens differ.
   */
  readonly scope: string;
  readonly requestId: string;
  /** The answers to the events of a subscription are only read: one may be handed to all of one scope who get the same. */
  readonly sharesAnswers?: boolean | undefined;
  /** Headers of the client's request that are forwarded to subgraphs. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Ends the call: the client has gone, or the subgraph's time is over. It may be made when it is read, so read it only to use it. */
  readonly signal?: AbortSignal | undefined;
  /** The same without a signal, for those who need none; where there is one, `signal` is its. */
  readonly cancellation?: Cancellation | undefined;
}

/** A GraphQL error as a subgraph answers it. */
export interface SubgraphError {
  readonly message: string;
  readonly path?: readonly (string | number)[] | undefined;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * A subgraph's answer. The engine owns `data` from here on and merges into it, so a transport hands out a
 * fresh object for each call that does not say otherwise; it never changes values of scalar fields.
 */
export interface SubgraphResult {
  readonly data?: Record<string, unknown> | null | undefined;
  readonly errors?: readonly SubgraphError[] | undefined;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

/** The events of a subscription. */
export interface SubgraphStream extends AsyncIterable<SubgraphResult> {
  /** Resolves when the way to the subgraph is open, where that can be told before the first event. Never rejects. */
  readonly opened?: Promise<void> | undefined;
}

/**
 * How the engine reaches one subgraph. Failures of the way itself (refused, timed out, garbage, too large)
 * are thrown as DomainError with code DOWNSTREAM_SERVICE_ERROR, SERVICE_UNAVAILABLE or LIMIT_EXCEEDED;
 * an abort by the request's signal is thrown as the signal's reason.
 */
export interface Transport {
  /** What the engine hands over as variables: JSON text for the wire, or objects for a call in process. */
  readonly wire: 'text' | 'objects';
  /** Runs a query or mutation. */
  execute(request: SubgraphRequest): Promise<SubgraphResult>;
  /**
   * Opens a subscription; returning the iterator ends it upstream at once, also between events. The iterator may be a `DirectSource` of results
   * or of promises of them, which never reject.
   */
  subscribe(request: SubgraphRequest): SubgraphStream;
  /** Releases sockets; calls in flight end first. */
  close(): Promise<void>;
}

/** Makes the transport of a subgraph; the engine calls it once a subgraph and closes what it got. */
export type TransportFactory = (subgraph: string, url: string) => Transport;
