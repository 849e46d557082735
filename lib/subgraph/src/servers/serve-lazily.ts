import type { ServedSubgraph, ServeOptions } from './serve.js';

/**
 * Serves a subgraph on one port: see `serve.ts`. What that takes, Apollo Server above all, is loaded now: a process whose
 * subgraphs are called in process does without.
 *
 * @throws DomainError PORT_TAKEN when something else listens there
 */
export async function serveSubgraph(options: ServeOptions): Promise<ServedSubgraph> {
  const { serveSubgraph: serve } = await import('./serve.js');
  return serve(options);
}
