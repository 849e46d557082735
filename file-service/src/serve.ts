import type { Logger } from '@rhizome/log';
import { boundedConnections, createWebServer, listen, type TlsFiles } from '@rhizome/subgraph/servers';
import type { FileService } from './app.js';

export interface ServeFilesOptions {
  readonly log: Logger;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: a free port. */
  readonly port?: number;
  readonly tls?: TlsFiles | undefined;
  /** Time without any data after which a connection is closed, in milliseconds; default 60,000. */
  readonly idleMs?: number;
  /** Time for running transfers to end, in milliseconds; default 60,000. */
  readonly drainMs?: number;
}

/** A file service that listens. */
export interface ServedFiles {
  /** `http://…` or `https://…`, without a path. */
  readonly url: string;
  /** Accepts no more transfers, waits for those that run, and frees the port. May be called twice. */
  close(): Promise<void>;
}

/** Listens. @throws DomainError PORT_TAKEN if the port is in use */
export async function serveFiles(service: FileService, options: ServeFilesOptions): Promise<ServedFiles> {
  const { log, host = '127.0.0.1', port = 0, tls, idleMs = 60_000, drainMs = 60_000 } = options;
  // A large file takes long: what ends a transfer is that no data arrives.
  const server = createWebServer({ ...boundedConnections, requestTimeout: 0 }, tls, (request, response) => {
    service.handle(request, response).catch((error: unknown) => {
      log.error({ err: error }, 'request failed');
      response.destroy();
    });
  });
  server.timeout = idleMs;
  // The answer to `Expect: 100-continue` follows the checks: a refused file is not sent.
  server.on('checkContinue', (request, response) => server.emit('request', request, response));
  const { origin } = await listen(server, { host, port });
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    service.drain();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    await service.running.idle(drainMs);
    server.closeAllConnections();
    await closed;
  };
  return { url: origin, close: () => (closing ??= close()) };
}
