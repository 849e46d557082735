/** What is loaded while the store starts: everything that speaks GraphQL. */
import type { TransportKind } from './options.js';
import type { RunningStack, StackOptions } from './stack/stack.js';

export { createClient } from '@rhizome/client';
export { discoverSubgraphs } from '@rhizome/schema/repository';
export { startPilots } from './pilots.js';
export { playgroundQueue, seedExperiments, seedQueue } from './seed.js';
export { openIdentities } from './stack/identities.js';

/** Starts the services one way or the other; only that way is loaded. */
export async function startStackOf(
  transport: TransportKind,
): Promise<(options: StackOptions) => Promise<RunningStack>> {
  if (transport === 'http') return (await import('./stack/over-http.js')).startOverHttp;
  return (await import('./stack/in-process.js')).startInProcess;
}
