import { randomUUID } from 'node:crypto';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { DocumentNode } from 'graphql';
import { Kind } from 'graphql/language/kinds.js';
import { print } from 'graphql/language/printer.js';
import { fromGraphQLErrors, isRhizomeApiError, RhizomeApiError } from './api-error.js';
import { sleep } from '@rhizome/retry';
import { type RetryOptions, type RetrySettings, retrySettings, waitBefore } from './retry-options.js';
import { clientHeaders, type ClientName } from './client-name.js';
import { type HttpAnswer, type HttpCall, HttpTransport } from './http-transport.js';
import type { ProofKey } from './proof-key.js';
import { type OpenAt, type Reconnecting, ResumingStream, type SnapshotTaken } from './resuming-stream.js';
import { SocketTransport } from './socket-transport.js';
import { type ClientCertificate, Tokens, type TokenSource } from './token-source.js';

/** A request is sent again. */
export interface Retrying {
  readonly operationName: string | undefined;
  /** 1 for the first time. */
  readonly attempt: number;
  readonly waitMs: number;
  readonly error: RhizomeApiError;
}

/** Where the API is, and how to speak to it. */
export interface ClientOptions {
  /** The address for HTTP, `http://host:port/graphql`. */
  readonly url: string;
  /** The address for WebSocket; default: that for HTTP with `ws`. */
  readonly wsUrl?: string | undefined;
  readonly token: TokenSource;
  /** The key that the token is bound to: each request and each socket then carries a proof. */
  readonly proofKey?: ProofKey | undefined;
  /** Certificate that each connection presents: the token is bound to it, instead of to a key. */
  readonly certificate?: ClientCertificate | undefined;
  /** Name of the program, for usage statistics of the API. */
  readonly client?: ClientName;
  /** For requests. */
  readonly retry?: RetryOptions;
  /** For streams. */
  readonly reconnect?: RetryOptions;
  readonly onRetry?: (event: Retrying) => void;
  /** Time for one attempt, in milliseconds; default 30,000. */
  readonly timeoutMs?: number;
  /** Connections for HTTP; default 16. */
  readonly connections?: number;
  /**
   * Time without a message after which the socket of the streams is pinged, in milliseconds; default 10,000.
   */
  readonly pingEveryMs?: number;
}

/** Options of one request. */
export interface CallOptions {
  /** Time for one attempt, in milliseconds. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Default: a new one a call, kept over its attempts. */
  readonly requestId?: string;
  readonly retry?: RetryOptions;
}

/**
 * Mutations say whether sending them twice does what sending them once does: by an idempotency key, or by
 * nature.
 */
export interface MutationOptions extends CallOptions {
  readonly idempotent: boolean;
  /**
   * Sends a small call over the socket of the streams while one is open: it needs no connection and no proof
   * of its own. A repetition goes over HTTP.
   */
  readonly overSocket?: boolean;
}

/** Options of a stream. */
export interface SubscribeOptions {
  /** Ends the stream. */
  readonly signal?: AbortSignal;
  readonly reconnect?: RetryOptions;
  readonly onReconnect?: (event: Reconnecting) => void;
  /**
   * Called when the stream is opened again without its history: it then begins with a snapshot or, if it uses
   * a cursor that the server no longer has, with future events only; read the current state here. Awaited
   * before the first message is delivered. Without it, a stream whose cursor has expired throws
   * CURSOR_EXPIRED.
   */
  readonly onSnapshot?: (event: SnapshotTaken) => void | Promise<void>;
  /** Errors of an event that has data all the same. */
  readonly onErrors?: (errors: readonly RhizomeApiError[]) => void;
  readonly requestId?: string;
}

/** Reconnection options of a stream. */
export interface ResumeOptions<TData> extends SubscribeOptions {
  /** The cursor of an event. */
  readonly cursorOf: (data: TData) => string | null | undefined;
  /** The variable that takes the cursor; default `after`. */
  readonly afterVariable?: string;
}

/** An answer as it came: data, errors, or both. */
export interface PartialAnswer<TData> {
  readonly data: TData | null;
  readonly errors: readonly RhizomeApiError[];
}

/**
 * A client of the API. All promises reject with {@link RhizomeApiError}, or with what aborted the caller's
 * signal.
 */
export interface ApiClient {
  /** Runs a query; any error rejects, after those that may pass were retried. */
  query<TData, TVariables>(
    document: TypedDocumentNode<TData, TVariables>,
    variables: TVariables,
    options?: CallOptions,
  ): Promise<TData>;
  /** Runs a mutation; one that is not idempotent is sent again only if the server cannot have seen it. */
  mutate<TData, TVariables>(
    document: TypedDocumentNode<TData, TVariables>,
    variables: TVariables,
    options: MutationOptions,
  ): Promise<TData>;
  /**
   * Runs either and returns data and errors together: errors next to data do not reject and are not retried.
   */
  execute<TData, TVariables>(
    document: TypedDocumentNode<TData, TVariables>,
    variables: TVariables,
    options: MutationOptions,
  ): Promise<PartialAnswer<TData>>;
  /**
   * Follows a stream, opened again from its beginning when it breaks: for streams that start with the
   * present.
   */
  subscribe<TData, TVariables>(
    document: TypedDocumentNode<TData, TVariables>,
    variables: TVariables,
    options?: SubscribeOptions,
  ): AsyncIterableIterator<TData>;
  /** Follows a stream that goes on after its last cursor when it breaks: nothing lost, nothing doubled. */
  subscribeResumable<TData, TVariables>(
    document: TypedDocumentNode<TData, TVariables>,
    variables: TVariables,
    options: ResumeOptions<TData>,
  ): AsyncIterableIterator<TData>;
  /** Ends all streams, waits for running requests, closes all connections. May be called twice. */
  close(): Promise<void>;
}

/** Makes a client. It connects when first needed. */
export function createClient(options: ClientOptions): ApiClient {
  return new Client(options);
}

const requestAttempts = 6;

class Client implements ApiClient {
  readonly #options: ClientOptions;
  readonly #tokens: Tokens;
  readonly #http: HttpTransport;
  readonly #socket: SocketTransport;
  readonly #streams = new Set<ResumingStream<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#tokens = new Tokens(options.token);
    const named = clientHeaders(options.client);
    const { url, proofKey, certificate, connections = 16, pingEveryMs } = options;
    this.#http = new HttpTransport({ url, connections, proofKey, certificate }, this.#tokens, named);
    const wsUrl = options.wsUrl ?? url.replace(/^http/, 'ws');
    this.#socket = new SocketTransport(
      { url: wsUrl, proofKey, certificate, pingEveryMs },
      this.#tokens,
      named,
    );
  }

  async query<TData, TVariables>(
    document: TypedDocumentNode<TData, TVariables>,
    variables: TVariables,
    options: CallOptions = {},
  ): Promise<TData> {
    return (await this.#send<TData>(document, variables, { ...options, idempotent: true }, true))
      .data as TData;
  }

  async mutate<TData, TVariables>(
    document: TypedDocumentNode<TData, TVariables>,
    variables: TVariables,
    options: MutationOptions,
  ): Promise<TData> {
    return (await this.#send<TData>(document, variables, options, true)).data as TData;
  }

  execute<TData, TVariables>(
    document: TypedDocumentNode<TData, TVariables>,
    variables: TVariables,
    options: MutationOptions,
  ): Promise<PartialAnswer<TData>> {
    return this.#send<TData>(document, variables, options, false);
  }

  subscribe<TData, TVariables>(
    document: TypedDocumentNode<TData, TVariables>,
    variables: TVariables,
    options: SubscribeOptions = {},
  ): AsyncIterableIterator<TData> {
    const given = asRecord(variables);
    return this.#follow<TData>(document, () => given, undefined, options);
  }

  subscribeResumable<TData, TVariables>(
    document: TypedDocumentNode<TData, TVariables>,
    variables: TVariables,
    options: ResumeOptions<TData>,
  ): AsyncIterableIterator<TData> {
    const { cursorOf, afterVariable = 'after' } = options;
    const given = asRecord(variables);
    const { [afterVariable]: _after, ...fresh } = given;
    const from = ({ cursor, isFresh }: OpenAt) => {
      if (cursor !== undefined) return { ...given, [afterVariable]: cursor };
      return isFresh ? fresh : given;
    };
    return this.#follow<TData>(document, from, cursorOf, options);
  }

  close(): Promise<void> {
    for (const stream of this.#streams) stream.end();
    return (this.#closing ??= Promise.all([this.#socket.close(), this.#http.close()]).then(() => undefined));
  }

  #follow<TData>(
    document: DocumentNode,
    variables: (at: OpenAt) => Record<string, unknown>,
    cursorOf: ((data: TData) => string | null | undefined) | undefined,
    options: SubscribeOptions,
  ): ResumingStream<TData> {
    const stream = new ResumingStream<TData>({
      socket: this.#socket,
      tokens: this.#tokens,
      backoff: retrySettings(options.reconnect ?? this.#options.reconnect, Infinity),
      ...textOf(document),
      variables,
      cursorOf,
      onReconnect: options.onReconnect,
      onSnapshot: options.onSnapshot,
      onErrors: options.onErrors,
      onEnd: () => this.#streams.delete(stream as ResumingStream<unknown>),
      signal: options.signal,
      requestId: options.requestId ?? randomUUID(),
    });
    this.#streams.add(stream as ResumingStream<unknown>);
    return stream;
  }

  /** Sends until there is an answer to hand out, or an error that sending again cannot mend. */
  async #send<TData>(
    document: DocumentNode,
    variables: unknown,
    options: MutationOptions,
    strict: boolean,
  ): Promise<PartialAnswer<TData>> {
    const { signal, requestId = randomUUID(), timeoutMs = this.#options.timeoutMs ?? 30_000 } = options;
    const call: HttpCall = { ...textOf(document), variables, requestId, timeoutMs, signal };
    const backoff = retrySettings(options.retry ?? this.#options.retry, requestAttempts);
    for (let attempt = 1; ; attempt += 1) {
      try {
        const isOverSocket = options.overSocket && attempt === 1 && this.#socket.mayCall(call);
        const transport = isOverSocket ? this.#socket.call(call) : this.#http.send(call);
        return answerOf<TData>(await transport, requestId, strict);
      } catch (error) {
        if (!isRhizomeApiError(error)) throw error;
        const waitMs = this.#waitAfter(error, attempt, options.idempotent, backoff);
        if (waitMs === undefined) throw error;
        this.#options.onRetry?.({ operationName: call.operationName, attempt, waitMs, error });
        if (!(await sleep(waitMs, signal))) throw signal?.reason;
      }
    }
  }

  /** The time until the next attempt; undefined when there is none. */
  #waitAfter(
    error: RhizomeApiError,
    attempt: number,
    idempotent: boolean,
    backoff: RetrySettings,
  ): number | undefined {
    if (attempt > backoff.attempts) return undefined;
    // A token is looked at before anything runs: sending again with another one does nothing twice.
    if (
      error.code === 'TOKEN_EXPIRED' &&
      error.path === undefined &&
      this.#tokens.canRenew &&
      attempt === 1
    ) {
      this.#tokens.expire();
      return 0;
    }
    if (error.retry === 'never' || !(idempotent || error.notSent)) return undefined;
    return waitBefore(attempt, error, backoff);
  }
}

function answerOf<TData>(
  { data, errors = [] }: HttpAnswer,
  requestId: string,
  strict: boolean,
): PartialAnswer<TData> {
  const failures = fromGraphQLErrors(errors, requestId);
  const failure = RhizomeApiError.firstOf(failures);
  if (failure && (strict || data === undefined || data === null)) throw failure;
  return { data: (data ?? null) as TData | null, errors: failures };
}

const printed = new WeakMap<
  DocumentNode,
  { readonly query: string; readonly operationName: string | undefined }
>();

/** The text and the name of a document, made once. */
function textOf(document: DocumentNode): {
  readonly query: string;
  readonly operationName: string | undefined;
} {
  let text = printed.get(document);
  if (!text) {
    const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION);
    text = { query: print(document), operationName: operation?.name?.value };
    printed.set(document, text);
  }
  return text;
}

function asRecord(variables: unknown): Record<string, unknown> {
  return (variables ?? {}) as Record<string, unknown>;
}
