import type { IncomingMessage, ServerResponse } from 'node:http';
import { assertCan } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { JsonBodies, largestBodyBytes, smallBodyBytes } from '../json/json-body.js';
import { startApollo } from './apollo.js';
import { boundedConnections } from './connections.js';
import { bearerToken, requestIdOf, type TokenVerifier } from './credentials.js';
import { FastPath } from './fast-path.js';
import { answerGraphQL, type HttpHandlerOptions, refuse } from './http-handler.js';
import { createInProcess } from '../execution/in-process.js';
import type { ExecutionMode } from '../execution/operation.js';
import { InFlight } from './in-flight.js';
import { listen, type ListenAddress } from './listen.js';
import { createWebSocketHandler, type WebSocketHandler } from './websocket-handler.js';
import { createWebServer, type TlsFiles, type WebServer } from './web-server.js';
import type { SubgraphSchema } from '../types.js';

/** Readiness of a service, with the reasons if it is not ready. */
export interface Readiness {
  readonly ready: boolean;
  /** Components by name with a short description of their state, such as `{ mongo: 'no primary' }`. */
  readonly checks?: Readonly<Record<string, string>>;
}

/** Metrics of a service. */
export interface MetricsEndpoint {
  /** Registry of prom-client. */
  readonly registry: { readonly contentType: string; metrics(): Promise<string> };
  /** Permits calls without a token; otherwise the caller needs the permission `metrics:scrape`. */
  readonly isOpen: boolean;
}

/** Options of {@link serveSubgraph}. */
export interface ServeOptions {
  readonly subgraph: SubgraphSchema;
  readonly verifier: TokenVerifier;
  readonly log: Logger;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: a free port. */
  readonly port?: number;
  /** Files of the certificate; without them the service speaks plain HTTP. */
  readonly tls?: TlsFiles | undefined;
  /** File that gets the URL once the service listens. */
  readonly addressFile?: string | undefined;
  /** Called for each `/readyz`; default: ready while listening. */
  readonly readiness?: () => Readiness | Promise<Readiness>;
  /** Serves these metrics at `/metrics`. */
  readonly metrics?: MetricsEndpoint;
  /** Allows introspection (`__schema`); default false. */
  readonly introspection?: boolean;
  /** Maximum time that a drain waits for running operations, in milliseconds; default 10,000. */
  readonly drainMs?: number;
  /**
   * Maximum size of an HTTP body in bytes; default 96 MiB, enough for a task of a million parameter sets.
   * Callers that may not submit jobs or tasks send at most 16 MiB, and a WebSocket message has at most 1 MiB.
   */
  readonly maxBodyBytes?: number;
  /** Execution mode of operations; default `jit`. */
  readonly mode?: ExecutionMode;
  readonly clock?: Clock;
}

/** A subgraph that listens. */
export interface ServedSubgraph extends ListenAddress {
  /**
   * Drains: reports not ready, accepts nothing new, finishes running operations, closes streams with 1001,
   * then frees the port. May be called twice.
   */
  close(): Promise<void>;
}

/**
 * Serves a subgraph on one port: `/graphql` for HTTP (Apollo Server) and WebSocket (graphql-transport-ws),
 * `/healthz`, `/readyz`. A bearer token is verified for each request and each socket.
 *
 * @throws DomainError PORT_TAKEN if the port is in use
 */
export async function serveSubgraph(options: ServeOptions): Promise<ServedSubgraph> {
  const { subgraph, verifier, log, host = '127.0.0.1', port = 0, introspection = false } = options;
  const maxBodyBytes = options.maxBodyBytes ?? largestBodyBytes;
  const apollo = await startApollo(subgraph, log, introspection);
  const executable = createInProcess({ subgraph, log, ...pick(options) });
  const sockets = createWebSocketHandler({
    executable,
    schema: subgraph.schema,
    verifier,
    log,
    maxMessageBytes: Math.min(maxBodyBytes, smallBodyBytes),
  });
  const handler = {
    subgraph,
    apollo,
    fastPath: new FastPath(executable),
    executable,
    verifier,
    log,
    bodies: new JsonBodies(),
    maxBodyBytes,
  };
  const state = new ServerState(options, handler, sockets);
  const server = createWebServer(boundedConnections, options.tls, (request, response) =>
    state.answer(request, response),
  );
  // Longer than clients keep idle connections, so that a connection is not closed during a request.
  server.keepAliveTimeout = 65_000;
  server.on('upgrade', (request, socket, head) => {
    // Node.js has removed its own listener: a connection that the client resets must not end the process.
    socket.on('error', () => socket.destroy());
    if (state.draining || pathOf(request) !== '/graphql')
      socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n');
    else sockets.upgrade(request, socket, head);
  });
  const { addressFile } = options;
  const address = await listen(server, { host, port, addressFile }).catch(async (error: unknown) => {
    await apollo.stop();
    throw error;
  });
  log.info({ subgraph: subgraph.name, url: address.url }, 'service started');
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await state.drain(server);
    await handler.bodies.close();
    await apollo.stop();
    log.info({ subgraph: subgraph.name }, 'drained');
  };
  return {
    ...address,
    close: () => (closing ??= close()),
  };
}

function pick({ mode, clock }: ServeOptions): Pick<ServeOptions, 'mode' | 'clock'> {
  return { ...(mode ? { mode } : {}), ...(clock ? { clock } : {}) };
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0] ?? '/';
}

/** Maximum time in milliseconds for a client to answer the close of its socket. */
const socketGraceMs = 2000;

/** Running work, and whether new work is accepted. */
class ServerState {
  readonly #options: ServeOptions;
  readonly #handler: HttpHandlerOptions;
  readonly #sockets: WebSocketHandler;
  readonly #running = new InFlight();
  draining = false;

  constructor(options: ServeOptions, handler: HttpHandlerOptions, sockets: WebSocketHandler) {
    this.#options = options;
    this.#handler = handler;
    this.#sockets = sockets;
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const path = pathOf(request);
    if (path === '/healthz') sendJson(response, 200, { status: 'ok' });
    else if (path === '/readyz') void this.#ready(response);
    else if (path === '/metrics' && this.#options.metrics)
      void this.#metrics(this.#options.metrics, request, response);
    else if (path === '/graphql') void this.#graphql(request, response);
    else sendJson(response, 404, { status: 'not found', paths: ['/graphql', '/healthz', '/readyz'] });
  }

  async #ready(response: ServerResponse): Promise<void> {
    if (this.draining) return sendJson(response, 503, { ready: false, checks: { server: 'draining' } });
    try {
      const readiness = (await this.#options.readiness?.()) ?? { ready: true };
      sendJson(response, readiness.ready ? 200 : 503, readiness);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'readiness check failed');
      sendJson(response, 503, { ready: false, checks: { readiness: 'the check failed; see the log' } });
    }
  }

  async #metrics(
    { registry, isOpen }: MetricsEndpoint,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    try {
      if (!isOpen) {
        const token = bearerToken(request.headers.authorization);
        assertCan(await this.#options.verifier.verify(token), 'metrics:scrape');
      }
      const text = await registry.metrics();
      const length = Buffer.byteLength(text);
      response.writeHead(200, { 'content-type': registry.contentType, 'content-length': length });
      response.end(text);
    } catch (error) {
      refuse(response, error, requestIdOf(request.headers['x-request-id']));
    }
  }

  async #graphql(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.draining) {
      const error = new DomainError('SHUTTING_DOWN', 'The server is shutting down; try again');
      return refuse(response, error, requestIdOf(request.headers['x-request-id']));
    }
    this.#running.enter();
    response.once('close', () => this.#running.leave());
    await answerGraphQL(this.#handler, request, response);
  }

  /** Ends work in order; closes connections that do not end in time. */
  async drain(server: WebServer): Promise<void> {
    this.draining = true;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const within = this.#options.drainMs ?? 10_000;
    await Promise.all([
      this.#running.idle(within),
      this.#sockets.running.idle(within).then(() => this.#sockets.close(socketGraceMs)),
    ]);
    server.closeAllConnections();
    await closed;
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  response.end(text);
}
