import type { Principal } from '@rhizome/authz';
import type { Engine, OperationInfo, TraceRequest } from '@rhizome/federation';

/** One message of a stream, serialised once for all receivers. */
export interface StreamEvent {
  /** JSON of one GraphQL response. */
  readonly text: string;
  /** Cursor after it, on resumable fields. */
  readonly cursor?: string | undefined;
  readonly codes: readonly string[];
  /** True if the stream ends with this message because of its errors. */
  readonly last?: boolean | undefined;
}

/** Reason for the end of a client's stream; a label in the metrics. */
export type StreamEnd =
  'complete' | 'client' | 'failed' | 'lagged' | 'expired' | 'revoked' | 'refused' | 'shutdown';

/** Observer of streams. */
export interface StreamObserver {
  streamOpened(): void;
  streamClosed(why: StreamEnd): void;
  upstreamOpened(): void;
  upstreamClosed(): void;
  /** An upstream was reopened at its cursor. */
  upstreamReopened(why: 'broken' | 'moved'): void;
  /** One event was sent to this many listeners at once, or read later by one. */
  delivered(listeners: number): void;
}

/** A client's request for a stream. */
export interface StreamRequest {
  /** The engine that prepared the operation. */
  readonly engine: Engine;
  readonly operation: OperationInfo;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly principal: Principal | undefined;
  readonly requestId: string;
  /** Program that called, and its address. */
  readonly client?: { readonly name: string; readonly version: string } | undefined;
  readonly address?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A cursor next to the operation (`Last-Event-ID`); it overrides the argument. */
  readonly cursor?: string | undefined;
  /** True if each event carries its plan: such a stream is not shared. */
  readonly trace?: TraceRequest | undefined;
}

/**
 * Number of events that a client may be behind before its own upstream, or one for a few clients, has to
 * wait.
 */
export const ahead = 64;

/** Serves a client until its position in the shared stream is known. */
export interface CatchUp {
  /** The shared stream has just reached the cursor of this client. */
  sharedReached(): void;
  /** The client has read everything it received. */
  drained(): void;
  close(): void;
}
