export { EngineHolder } from './engine-holder.js';
export { type BaselineOptions, putBaseline } from './baseline.js';
export { ownAddress } from './graph/own-address.js';
export { buildOwnSubgraph, ownMemberOf, ownTransport } from './graph/own-subgraph.js';
export type { PreparedGraph } from './publisher.js';
export { type GraphFacts, Registry } from './registry.js';
export { openRegistryStore, type RegistryStore } from './store/open.repository.js';
export { clientIdentity, type ClientIdentity, unknownClient } from './use/client-identity.js';
export type { UseRecorder } from './use/recorder.js';
