import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Principal } from '@rhizome/authz';
import { isDomainError, toGraphQLError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { type ExecutionArgs, type ExecutionResult, GraphQLError, type GraphQLSchema } from 'graphql';
import {
  CloseCode,
  type Context,
  handleProtocols,
  makeServer,
  type Server,
  type SubscribePayload,
} from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { bearerToken, requestIdOf, type TokenVerifier } from './credentials.js';
import { DocumentCache } from '../execution/document-cache.js';
import { InFlight } from './in-flight.js';
import { boundedSockets, defaultMessageLimits, MessageGate } from './message-gate.js';
import { closeSockets, type KeepAlive, keepAlive } from './socket-upkeep.js';
import { WaitingSockets } from './waiting-sockets.js';
import type { InProcessSubgraph, SubgraphCall } from '../types.js';

/** Dependencies of the WebSocket handler. */
export interface WebSocketHandlerOptions {
  readonly executable: InProcessSubgraph;
  readonly schema: GraphQLSchema;
  readonly verifier: TokenVerifier;
  readonly log: Logger;
  readonly maxMessageBytes: number;
}

/** The WebSocket side of a server. */
export interface WebSocketHandler {
  /** Takes over an HTTP connection. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Number of running operations that have one answer. */
  readonly running: InFlight;
  /**
   * Closes all sockets with 1001 and waits until they are closed; those that do not answer are terminated
   * after `graceMs`.
   */
  close(graceMs: number): Promise<void>;
}

/** State of a socket since it was opened. */
interface Connection extends Record<PropertyKey, unknown> {
  readonly socket: WebSocket;
  readonly gate: MessageGate;
  /** Ends the wait for the `connection_init`. */
  readonly accepted: () => void;
  principal?: Principal;
  leaving?: AbortController;
}

type Socket = Context<Record<string, unknown>, Connection>;

/** Maximum number of parsed documents in the cache. */
const documentsKept = 500;

/**
 * Serves `graphql-transport-ws`: a verified principal for each socket, or for each operation that has a
 * token of its own; operations run as in process.
 */
export function createWebSocketHandler(options: WebSocketHandlerOptions): WebSocketHandler {
  const { executable, maxMessageBytes, log } = options;
  const limits = { ...defaultMessageLimits, messageBytes: maxMessageBytes };
  const sockets = new WebSocketServer({ ...boundedSockets(limits), noServer: true, handleProtocols });
  const waiting = new WaitingSockets(waitingSockets);
  const documents = new DocumentCache(documentsKept);
  const running = new InFlight();
  const server = makeServer<Record<string, unknown>, Connection>({
    onConnect: async (socket) => (await admit(socket, options)) && socketFeatures,
    onClose: ({ extra }) => extra.leaving?.abort(),
    onSubscribe: (socket, _id, payload) => prepare(socket, payload, { ...options, documents }),
    subscribe: (args) => executable.subscribe(callOf(args)) as AsyncIterableIterator<ExecutionResult>,
    execute: (args) => running.during(executable.execute(callOf(args))) as Promise<ExecutionResult>,
    // Results are shaped already; the shaping of the protocol library does not know codes.
    onNext: (_socket, _id, _payload, _args, result) => result as ExecutionResult,
  });
  const open = (socket: WebSocket, request: IncomingMessage): void => {
    const accepted = waiting.addClient(request.socket.remoteAddress ?? '', socket);
    const connection = { socket, accepted, gate: new MessageGate(socket, limits) };
    serve(server, connection, keepAlive(socket, request.socket, keepAliveMs), log);
  };
  return {
    running,
    upgrade: (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (client) => open(client, request)),
    close: (graceMs) => closeSockets(sockets, 'Going away', graceMs),
  };
}

/** Sockets whose `connection_init` was not accepted yet: callers are gateways, which send it at once. */
const waitingSockets = { waitingSockets: 500, waitingSocketsPerAddress: 250 };
/** Time between two looks at a socket, in milliseconds; see {@link keepAlive}. */
const keepAliveMs = 12_000;

/**
 * Sent with the `connection_ack`: an operation may carry a token of its own in its `extensions`, so that one
 * socket serves operations of many callers.
 */
const socketFeatures = { operationTokens: true } as const;

/** Dependencies of {@link prepare}. */
interface Preparation extends Pick<WebSocketHandlerOptions, 'schema' | 'verifier'> {
  readonly documents: DocumentCache;
}

/** Connects a socket to the protocol library. */
function serve(server: Server<Connection>, connection: Connection, upkeep: KeepAlive, log: Logger): void {
  const { socket, gate, accepted } = connection;
  const closed = server.opened(
    {
      protocol: socket.protocol,
      send: (data) =>
        new Promise((resolve) => {
          if (socket.readyState === socket.OPEN) socket.send(data, () => resolve());
          else resolve();
        }),
      close: (code, reason) => socket.close(code, reason),
      onMessage: (take) =>
        gate.onMessage((text) => {
          take(text).catch((error: unknown) => {
            log.error({ err: error }, 'handling a message failed');
            socket.close(CloseCode.InternalServerError, 'Internal server error');
          });
        }),
    },
    connection,
  );
  // The library closes the socket after an error by itself.
  socket.on('error', (error) => log.debug({ err: error }, 'socket error'));
  socket.once('close', (code, reason) => {
    accepted();
    upkeep.stop();
    closed(code, String(reason)).catch((error: unknown) =>
      log.error({ err: error }, 'closing a socket failed'),
    );
  });
}

/**
 * Verifies the token of a socket; closes the socket with the code as the reason if the token is not accepted.
 */
async function admit(
  { connectionParams, extra }: Socket,
  { verifier, log }: WebSocketHandlerOptions,
): Promise<boolean> {
  try {
    extra.principal = await verifier.verify(bearerToken(connectionParams?.['authorization']));
    extra.leaving = new AbortController();
    extra.gate.accept();
    extra.accepted();
    return true;
  } catch (error) {
    extra.socket.close(CloseCode.Forbidden, isDomainError(error) ? error.code : 'SERVICE_UNAVAILABLE');
    log.debug({ err: error }, 'socket refused');
    return false;
  }
}

/** Creates the call for a message, passed to its execution as the context. */
async function prepare(
  { extra }: Socket,
  payload: SubscribePayload,
  { schema, documents, verifier }: Preparation,
): Promise<ExecutionArgs | GraphQLError[]> {
  const requestId = requestIdOf(payload.extensions?.['requestId']);
  const document = documents.parse(payload.query);
  if (document instanceof GraphQLError) return [toGraphQLError(document, { requestId })];
  const own = payload.extensions?.['authorization'];
  let principal: Principal;
  try {
    // Only a socket with a verified principal gets here.
    principal = own === undefined ? (extra.principal as Principal) : await verifier.verify(bearerToken(own));
  } catch (error) {
    return [toGraphQLError(error, { requestId })];
  }
  const operationName = payload.operationName ?? undefined;
  const call: SubgraphCall = {
    document,
    operationName,
    variables: payload.variables ?? undefined,
    principal,
    requestId,
    signal: extra.leaving?.signal,
  };
  return { schema, document, operationName, contextValue: call };
}

function callOf({ contextValue }: { readonly contextValue?: unknown }): SubgraphCall {
  return contextValue as SubgraphCall;
}
