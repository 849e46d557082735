import type { ServedSubgraph, ServeOptions } from './serve.js';

/**
 * Serves a subgraph on one port: see `serve.ts`. Its dependencies, above all Apollo Server, are loaded now: a
 * process whose subgraphs are called in process does not need them.
 *
 * @throws DomainError PORT_TAKEN if the port is in use
 */
export async function serveSubgraph(options: ServeOptions): Promise<ServedSubgraph> {
  const { serveSubgraph: serve } = await import('./serve.js');
  return serve(options);
}
