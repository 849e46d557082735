import {
  boundedConnections,
  createWebServer,
  listen,
  type ListenAddress,
  type TlsFiles,
  type WebServer,
} from '@rhizome/subgraph';
import type { Gateway } from './app.js';

/** Address on which a gateway listens. */
export interface ServeGatewayOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 4000; 0 takes a free one. */
  readonly port?: number;
  /** Files of the certificate; without them the gateway speaks plain HTTP. */
  readonly tls?: TlsFiles | undefined;
  /** File that gets the URL once the gateway listens. */
  readonly addressFile?: string | undefined;
}

/** A listening gateway. */
export interface ServedGateway extends ListenAddress {
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
  const { host = '127.0.0.1', port = 4000, addressFile, tls } = options;
  const server = createWebServer(boundedConnections, tls, (request, response) =>
    gateway.handle(request, response),
  );
  // Longer than the idle timeout of clients and proxies, so that no connection closes under a request.
  server.keepAliveTimeout = 65_000;
  server.on('upgrade', (request, socket, head) => gateway.upgrade(request, socket, head));
  const address = await listen(server, { host, port, addressFile });
  gateway.announce();
  let closing: Promise<void> | undefined;
  return {
    ...address,
    close: (drainMs) => (closing ??= shutDown(server, gateway, drainMs)),
  };
}

/** Time for the last bytes of responses to leave before connections are cut, in milliseconds. */
const lastBytesMs = 500;

async function shutDown(server: WebServer, gateway: Gateway, drainMs: number | undefined): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  await gateway.drain(drainMs);
  const cut = setTimeout(() => server.closeAllConnections(), lastBytesMs);
  server.closeIdleConnections();
  await closed;
  clearTimeout(cut);
  await gateway.close();
}
