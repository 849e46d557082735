import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Principal } from '@rhizome/authz';
import { isDomainError, toGraphQLError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  parse,
} from 'graphql';
import { CloseCode } from 'graphql-ws';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { bearerToken, requestIdOf, type TokenVerifier } from './credentials.js';
import { Running } from './running.js';
import type { InProcessSubgraph, SubgraphCall, SubgraphResult } from './types.js';

/** What WebSockets are served with. */
export interface SocketDoorOptions {
  readonly executable: InProcessSubgraph;
  readonly schema: GraphQLSchema;
  readonly verifier: TokenVerifier;
  readonly log: Logger;
  readonly maxMessageBytes: number;
}

/** The WebSocket side of a server. */
export interface SocketDoor {
  /** Takes over an HTTP connection. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Operations with one answer that run at the moment. */
  readonly running: Running;
  /** Closes all sockets with 1001 and waits until they are gone; those that do not answer are cut after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** What a socket remembers of its opening. */
interface Connection extends Extra, Record<PropertyKey, unknown> {
  principal?: Principal;
  leaving?: AbortController;
}

/** Documents that clients have sent, parsed; the oldest go first. */
const documentsKept = 500;

/** Serves `graphql-transport-ws`: one verified principal a socket, operations run as they do in process. */
export function openSocketDoor(options: SocketDoorOptions): SocketDoor {
  const { executable, schema, verifier, log, maxMessageBytes } = options;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes });
  const documents = new DocumentCache(documentsKept);
  const running = new Running();

  const dispose = useServer<Record<string, unknown>, Connection>(
    {
      isProd: true,
      onConnect: async ({ connectionParams, extra }) => {
        try {
          extra.principal = await verifier.verify(bearerToken(connectionParams?.['authorization']));
          extra.leaving = new AbortController();
          return true;
        } catch (error) {
          // The reason is the code: a client tells an ended token from a wrong one by it.
          extra.socket.close(CloseCode.Forbidden, isDomainError(error) ? error.code : 'SERVICE_UNAVAILABLE');
          log.debug({ err: error }, 'socket refused');
          return false;
        }
      },
      onClose: ({ extra }) => extra.leaving?.abort(),
      onSubscribe: ({ extra }, _id, payload) => {
        const requestId = requestIdOf((payload.extensions as { requestId?: unknown } | undefined)?.requestId);
        const document = documents.parse(payload.query);
        if (document instanceof GraphQLError) return [toGraphQLError(document, { requestId })];
        // Only a socket whose principal is known gets here.
        const call: SubgraphCall = {
          document,
          operationName: payload.operationName ?? undefined,
          variables: payload.variables ?? undefined,
          principal: extra.principal as Principal,
          requestId,
          signal: extra.leaving?.signal,
        };
        return {
          schema,
          document,
          operationName: call.operationName,
          contextValue: call,
        } satisfies ExecutionArgs;
      },
      subscribe: (args) =>
        executable.subscribe(callOf(args)) as unknown as AsyncIterableIterator<ExecutionResult>,
      execute: async (args) => {
        running.enter();
        try {
          return (await executable.execute(callOf(args))) as unknown as ExecutionResult;
        } finally {
          running.leave();
        }
      },
      // Results are shaped already; the protocol's own shaping knows nothing of codes.
      onNext: (_context, _id, _payload, _args, result) => result as SubgraphResult as ExecutionResult,
    },
    sockets,
  );

  return {
    upgrade: (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (client) => sockets.emit('connection', client, request)),
    running,
    close: async (graceMs) => {
      const cut = setTimeout(() => sockets.clients.forEach((client) => client.terminate()), graceMs);
      await dispose.dispose();
      clearTimeout(cut);
    },
  };
}

function callOf({ contextValue }: { readonly contextValue?: unknown }): SubgraphCall {
  return contextValue as SubgraphCall;
}

/** Equal texts are one document, so that what was compiled for it is found again. */
class DocumentCache {
  readonly #limit: number;
  readonly #parsed = new Map<string, DocumentNode>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  parse(text: string): DocumentNode | GraphQLError {
    const known = this.#parsed.get(text);
    if (known) {
      this.#parsed.delete(text);
      this.#parsed.set(text, known);
      return known;
    }
    try {
      const document = parse(text);
      this.#parsed.set(text, document);
      const oldest = this.#parsed.keys().next();
      if (this.#parsed.size > this.#limit && !oldest.done) this.#parsed.delete(oldest.value);
      return document;
    } catch (error) {
      if (error instanceof GraphQLError) return error;
      throw error;
    }
  }
}
