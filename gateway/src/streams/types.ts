import type { Principal } from '@rhizome/authz';
import type { Engine, OperationInfo, TraceRequest } from '@rhizome/federation';

/** One message of a stream, serialised once for all who get it. */
export interface StreamEvent {
  /** The JSON of one GraphQL answer. */
  readonly text: string;
  /** Where the stream stands after it, on resumable fields. */
  readonly cursor?: string | undefined;
  readonly codes: readonly string[];
  /** True where the stream ends with this message because of its errors. */
  readonly last?: boolean | undefined;
}

/** Why a client's stream ended; a label in the metrics. */
export type StreamEnd = 'complete' | 'client' | 'failed' | 'lagged' | 'expired' | 'refused' | 'shutdown';

/** What is told about streams as they live. */
export interface StreamObserver {
  streamOpened(): void;
  streamClosed(why: StreamEnd): void;
  upstreamOpened(): void;
  upstreamClosed(): void;
  /** An upstream was opened again from where it stood. */
  upstreamReopened(why: 'broken' | 'moved'): void;
  /** One event went out to this many listeners at once, or was read later by one. */
  delivered(listeners: number): void;
}

/** A client's wish for a stream. */
export interface StreamRequest {
  /** The engine that prepared the operation. */
  readonly engine: Engine;
  readonly operation: OperationInfo;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly principal: Principal | undefined;
  readonly requestId: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A cursor that the client brought beside the operation (`Last-Event-ID`); it wins over the argument. */
  readonly cursor?: string | undefined;
  /** Each event shows how it was made: such a stream is shared with nobody. */
  readonly trace?: TraceRequest | undefined;
}

/** Number of events that a client may be behind before its own upstream, or one for a few clients, has to wait. */
export const ahead = 64;

/** Serves a client until its position in the shared stream is known. */
export interface CatchUp {
  /** The shared stream has just come to the cursor where this one stands. */
  meet(): void;
  /** The client has read all that it was given. */
  hasRoom(): void;
  close(): void;
}
