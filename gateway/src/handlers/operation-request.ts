/** Operations on their way from a handler to the engine, and their answers on the way back. */
import type { Principal } from '@rhizome/authz';
import type { DomainError } from '@rhizome/errors';
import type { Cancellation, ExecutionText, OperationInfo, TraceRequest } from '@rhizome/federation';
import type { ClientIdentity } from '../registry/index.js';
import type { ClientStream } from '../streams/index.js';

/** An operation of a client, from any handler. */
export interface OperationRequest {
  readonly query: string;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
  /** Address of the client. */
  readonly address: string;
  /** Bytes of the body or message. */
  readonly bytes: number;
  /** The caller; undefined for an anonymous one. */
  readonly principal: Principal | undefined;
  readonly requestId: string;
  /** Name and version that the client reports. */
  readonly client: ClientIdentity;
  /** Headers that are forwarded to subgraphs. */
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** Ends the operation early, as `cancellation` does; see {@link endOf}. */
  readonly signal?: AbortSignal | undefined;
  readonly cancellation?: Cancellation | undefined;
  /** Asks for `extensions.plan`. */
  readonly wantsPlan?: boolean | undefined;
  /** True if the handler counts the calls and the answers of agents itself. */
  readonly isMetered?: boolean | undefined;
  /** Tags of root fields that introspection leaves out. */
  readonly withoutTags?: readonly string[] | undefined;
}

/** An operation with an optional request for its plan. */
export type TracedRequest = OperationRequest & {
  readonly trace?: TraceRequest;
  /** Milliseconds for which it may wait for work. */
  readonly waitMs?: number;
};

/** Responses of a handler to an operation, by kind. */
export interface OperationResponder<T> {
  /** The operation was refused before it ran; with the error if it is the gateway's own. */
  refused(answer: ExecutionText, error?: unknown): T;
  /** Returns an error for a kind of operation that this handler does not support. */
  admit?(operation: OperationInfo): DomainError | undefined;
  /** A query's or a mutation's answer. */
  answered(answer: ExecutionText, operation: OperationInfo): T;
  streamed(stream: ClientStream, operation: OperationInfo): T;
}
