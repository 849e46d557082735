import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DomainError } from '@rhizome/errors';
import { boundedConnections } from '@rhizome/subgraph';
import type { Gateway } from './app.js';

/** Address on which a gateway listens. */
export interface ServeGatewayOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 4000; 0 takes a free one. */
  readonly port?: number;
}

/** A listening gateway. */
export interface ServedGateway {
  /** `http://…`, without a path. */
  readonly origin: string;
  /** `http://…/graphql` */
  readonly url: string;
  /** `ws://…/graphql` */
  readonly wsUrl: string;
  readonly port: number;
  /** Stops listening, drains, cuts what has not ended, and closes the subgraphs. May be called twice. */
  close(drainMs?: number): Promise<void>;
}

/**
 * Starts to listen.
 * @throws DomainError PORT_TAKEN if the port is in use
 */
export async function serveGateway(
  gateway: Gateway,
  options: ServeGatewayOptions = {},
): Promise<ServedGateway> {
  const { host = '127.0.0.1', port = 4000 } = options;
  const server = createServer(boundedConnections, (request, response) => gateway.handle(request, response));
  // Longer than the idle timeout of clients and proxies, so that no connection closes under a request.
  server.keepAliveTimeout = 65_000;
  server.on('upgrade', (request, socket, head) => gateway.upgrade(request, socket, head));
  await listen(server, host, port);
  const taken = (server.address() as AddressInfo).port;
  const authority = `${host.includes(':') ? `[${host}]` : host}:${taken}`;
  let closing: Promise<void> | undefined;
  return {
    origin: `http://${authority}`,
    url: `http://${authority}/graphql`,
    wsUrl: `ws://${authority}/graphql`,
    port: taken,
    close: (drainMs) => (closing ??= shutDown(server, gateway, drainMs)),
  };
}

/** Time for the last bytes of responses to leave before connections are cut, in milliseconds. */
const lastBytesMs = 500;

async function shutDown(server: Server, gateway: Gateway, drainMs: number | undefined): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  await gateway.drain(drainMs);
  const cut = setTimeout(() => server.closeAllConnections(), lastBytesMs);
  server.closeIdleConnections();
  await closed;
  clearTimeout(cut);
  await gateway.close();
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error);
      const text = `Port ${port} of ${host} is in use; choose another one, or 0 for a free one`;
      reject(new DomainError('PORT_TAKEN', text, { field: 'port', value: port }, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
}
