/** Modules that are loaded while the store starts: everything that needs GraphQL. */
import type { TransportKind } from './options.js';
import type { RunningStack, StackOptions } from './stack/stack.js';

export { createClient } from '@rhizome/client';
export { discoverSubgraphs } from '@rhizome/schema/repository';
export { isolationFault } from '@rhizome/pilot';
export { enrolPilots, startPilots } from './pilots.js';
export { invitePilots, seedExperiments, seedQueue, seedStorage } from './seed.js';
export { startFileService } from './services/file-service.js';
export { openIdentities } from './stack/identities.js';
export { databasesOf, storeAddresses } from './stack/stack.js';

/** Starter of the services for a transport. Only the code of that transport is loaded. */
export async function startStackOf(
  transport: TransportKind,
): Promise<(options: StackOptions) => Promise<RunningStack>> {
  if (transport === 'http') return (await import('./stack/over-http.js')).startOverHttp;
  return (await import('./stack/in-process.js')).startInProcess;
}
