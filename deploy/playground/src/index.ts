export { parseOptions, type PlaygroundOptions, type TransportKind } from './options.js';
export { playgroundFilePath, type PlaygroundFile } from './playground-file.js';
export { playgroundQueue, seedExperiments, seedQueue, seedStorage } from './seed.js';
export { filesFolder, startFileService } from './services/file-service.js';
export {
  type ExperimentServiceOptions,
  type ServiceWorld,
  startCore,
  startExperiment,
  startGateway,
} from './services/start-services.js';
export type { Service } from './services/service.js';
export { lazyClient } from './stack/lazy-client.js';
export { type Identities, openIdentities } from './stack/identities.js';
export {
  databasesOf,
  registerFound,
  storeAddresses,
  type StoreAddresses,
  supergraphOf,
} from './stack/stack.js';
