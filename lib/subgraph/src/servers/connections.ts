import type { ServerOptions } from 'node:http';

/**
 * Time limits of connections: streams and long polls take long, the headers and the body of a request may
 * not.
 */
export const boundedConnections: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 120_000,
  connectionsCheckingInterval: 2_000,
};
