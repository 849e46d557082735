// The code that composes and that uses the store is loaded only with a registry: see open.ts.
export { EngineHolder } from './engine-holder.js';
export { ownAddress } from './graph/own-address.js';
export { buildOwnSubgraph, isOwnMutation, ownMemberOf, ownTransport } from './graph/own-subgraph.js';
export type { OpenedRegistry } from './open-registry.js';
export type { PreparedGraph } from './publisher.js';
export type { GraphFacts, Registry } from './registry.js';
export { clientIdentity, type ClientIdentity, unknownClient } from './use/client-identity.js';
export type { UseRecorder } from './use/recorder.js';
