import { cacheExchange, Client, fetchExchange, mapExchange, subscriptionExchange } from '@urql/core';
import { type DocumentNode, Kind } from 'graphql';
import { createClient, type Client as SocketClient } from 'graphql-ws';
import { type Failure, ofGraphql, tokenCodes } from '../live/failure.js';
import { follow, type OpenStream } from '../live/resuming.js';
import { sessionHeaders } from '../session/session.js';
import { ConnectionState } from './connection-state.js';

/** Access of the page to the gateway. */
export interface Api {
  readonly client: Client;
  readonly connection: ConnectionState;
  /** Ends all streams. */
  close(): void;
}

/** Options of an API. */
export interface ApiOptions {
  /** Where the page came from, as `http://host:4000`. */
  readonly origin: string;
  /** Null if the browser's session is used instead. */
  readonly token: string | null;
  /** The token or the session is not taken, or not any more. */
  readonly onTokenRefused: (failure: Failure) => void;
}

/** The name for the statistics of the gateway, and for its manifest of operations. */
const clientName = { 'graphql-client-name': 'rhizome-dashboard' };
const keepAliveMs = 10_000;
const pongTimeoutMs = 5000;
const normalClosure = 1000;

/** Queries over HTTP, and streams over one WebSocket that reconnects with the usual back-off. */
export function createApi({ origin, token, onTokenRefused }: ApiOptions): Api {
  const url = `${origin}/graphql`;
  const connection = new ConnectionState();
  const credentials = token === null ? sessionHeaders : { authorization: `Bearer ${token}` };
  const socket = openSocket(url.replace(/^http/, 'ws'), credentials, connection);
  const noticeToken = (failure: Failure): void => {
    if (tokenCodes.has(failure.code)) onTokenRefused(failure);
  };
  const client = new Client({
    url,
    preferGetMethod: false,
    fetchOptions: { headers: { ...credentials, ...clientName } },
    exchanges: [
      mapExchange({ onError: (error) => noticeToken(failureOfQuery(error)) }),
      cacheExchange,
      subscriptionExchange({
        forwardSubscription: (request, operation) =>
          forward({
            open: streamOf(socket, request.query ?? ''),
            variables: (request.variables ?? {}) as Record<string, unknown>,
            isResumable: takesCursor(operation.query),
            isRenewed: token === null,
            onFailure: noticeToken,
          }),
      }),
      fetchExchange,
    ],
  });
  return { client, connection, close: () => void socket.dispose() };
}

function openSocket(
  url: string,
  credentials: Readonly<Record<string, string>>,
  connection: ConnectionState,
): SocketClient {
  let pong: ReturnType<typeof setTimeout> | undefined;
  const client: SocketClient = createClient({
    url,
    connectionParams: { ...credentials, ...clientName },
    // Streams are opened again by those who know their cursors.
    retryAttempts: 0,
    keepAlive: keepAliveMs,
    lazyCloseTimeout: 500,
    on: {
      connected: () => connection.set('live'),
      closed: (event) => {
        clearTimeout(pong);
        // The client itself closes a socket that no stream needs any more.
        connection.set((event as Partial<CloseEvent>).code === normalClosure ? 'still' : 'away');
      },
      // A dead peer is noticed by a ping that nobody answers.
      ping: (received) => {
        if (!received) pong = setTimeout(() => client.terminate(), pongTimeoutMs);
      },
      pong: (received) => {
        if (received) clearTimeout(pong);
      },
    },
  });
  return client;
}

const streamOf =
  (socket: SocketClient, query: string): OpenStream =>
  (variables, sink) =>
    socket.subscribe<Record<string, unknown>>(
      { query, variables: { ...variables } },
      {
        next: ({ data, errors }) => sink.next({ data: data ?? null, ...(errors ? { errors } : {}) }),
        error: sink.error,
        complete: sink.complete,
      },
    );

/** True if a message is the first of a stream that started without a past; sent in addition to the data. */
export interface LiveExtensions {
  readonly isFirst?: boolean;
}

interface Forwarded {
  readonly open: OpenStream;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly isResumable: boolean;
  readonly isRenewed: boolean;
  readonly onFailure: (failure: Failure) => void;
}

interface ForwardSink {
  next(result: { data?: unknown; errors?: readonly object[]; extensions?: Record<string, unknown> }): void;
  complete(): void;
}

function forward({ open, variables, isResumable, isRenewed, onFailure }: Forwarded) {
  return {
    subscribe(sink: ForwardSink) {
      const stop = follow({
        open,
        variables,
        isResumable,
        isRenewed,
        later: (action, ms) => {
          const timer = setTimeout(action, ms);
          return () => clearTimeout(timer);
        },
        sink: {
          data: (data, isFirst) => sink.next({ data, extensions: { isFirst } satisfies LiveExtensions }),
          status: () => undefined,
          end: (failure) => {
            if (failure) {
              onFailure(failure);
              sink.next({ errors: [{ message: failure.message, extensions: { code: failure.code } }] });
            }
            sink.complete();
          },
        },
      });
      return { unsubscribe: stop };
    },
  };
}

/** An operation that takes a cursor as `$after` goes on where it broke. */
function takesCursor(document: DocumentNode): boolean {
  return document.definitions.some(
    (definition) =>
      definition.kind === Kind.OPERATION_DEFINITION &&
      (definition.variableDefinitions ?? []).some(({ variable }) => variable.name.value === 'after'),
  );
}

/** The failure of a query, in the catalogue's words. */
export function failureOfQuery(error: {
  readonly message: string;
  readonly graphQLErrors: readonly {
    readonly message: string;
    readonly extensions?: Record<string, unknown>;
  }[];
  readonly response?: { readonly status?: number } | undefined;
}): Failure {
  const [first] = error.graphQLErrors;
  if (first) return ofGraphql(first);
  if (error.response?.status === 401)
    return { code: 'UNAUTHENTICATED', message: 'the gateway does not take the token', retry: 'never' };
  return {
    code: 'SERVICE_UNAVAILABLE',
    message: `The gateway cannot be reached; trying again. (${error.message.replace(/^\[\w+\] /, '')})`,
    retry: 'later',
  };
}
