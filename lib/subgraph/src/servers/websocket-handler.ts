import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Principal } from '@rhizome/authz';
import { isDomainError, toGraphQLError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { type ExecutionArgs, type ExecutionResult, GraphQLError, type GraphQLSchema } from 'graphql';
import { CloseCode, type Context, type SubscribePayload } from 'graphql-ws';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { bearerToken, requestIdOf, type TokenVerifier } from './credentials.js';
import { DocumentCache } from '../execution/document-cache.js';
import { InFlight } from './in-flight.js';
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
interface Connection extends Extra, Record<PropertyKey, unknown> {
  principal?: Principal;
  leaving?: AbortController;
}

type Socket = Context<Record<string, unknown>, Connection>;

/** Maximum number of parsed documents in the cache. */
const documentsKept = 500;

/** Serves `graphql-transport-ws`: one verified principal per socket; operations run as in process. */
export function createWebSocketHandler(options: WebSocketHandlerOptions): WebSocketHandler {
  const { executable, schema, maxMessageBytes } = options;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes });
  const documents = new DocumentCache(documentsKept);
  const running = new InFlight();
  const server = useServer<Record<string, unknown>, Connection>(
    {
      isProd: true,
      onConnect: (socket) => admit(socket, options),
      onClose: ({ extra }) => extra.leaving?.abort(),
      onSubscribe: (socket, _id, payload) => prepare(socket, payload, schema, documents),
      subscribe: (args) => executable.subscribe(callOf(args)) as AsyncIterableIterator<ExecutionResult>,
      execute: (args) => running.during(executable.execute(callOf(args))) as Promise<ExecutionResult>,
      // Results are shaped already; the shaping of the protocol library does not know codes.
      onNext: (_socket, _id, _payload, _args, result) => result as ExecutionResult,
    },
    sockets,
  );
  return {
    running,
    upgrade: (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (client) => sockets.emit('connection', client, request)),
    close: async (graceMs) => {
      const cut = setTimeout(() => sockets.clients.forEach((client) => client.terminate()), graceMs);
      await server.dispose();
      clearTimeout(cut);
    },
  };
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
    return true;
  } catch (error) {
    extra.socket.close(CloseCode.Forbidden, isDomainError(error) ? error.code : 'SERVICE_UNAVAILABLE');
    log.debug({ err: error }, 'socket refused');
    return false;
  }
}

/** Creates the call for a message, passed to its execution as the context. */
function prepare(
  { extra }: Socket,
  payload: SubscribePayload,
  schema: GraphQLSchema,
  documents: DocumentCache,
): ExecutionArgs | GraphQLError[] {
  const requestId = requestIdOf(payload.extensions?.['requestId']);
  const document = documents.parse(payload.query);
  if (document instanceof GraphQLError) return [toGraphQLError(document, { requestId })];
  const operationName = payload.operationName ?? undefined;
  const call: SubgraphCall = {
    document,
    operationName,
    variables: payload.variables ?? undefined,
    // Only a socket with a verified principal gets here.
    principal: extra.principal as Principal,
    requestId,
    signal: extra.leaving?.signal,
  };
  return { schema, document, operationName, contextValue: call };
}

function callOf({ contextValue }: { readonly contextValue?: unknown }): SubgraphCall {
  return contextValue as SubgraphCall;
}
