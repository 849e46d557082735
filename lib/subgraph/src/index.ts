export { buildSubgraph } from './schema/build.js';
export { type Coerced, compileCoercion } from './execution/coercion.js';
export { settleResolvers } from './schema/compilable.js';
export {
  type ContextFactory,
  type ContextInit,
  countLoadsHeader,
  forwardedHeader,
} from './context/context.js';

export { connection } from './schema/connection.js';
export { isTooDeep, tooDeep } from './execution/depth.js';
export { DirectGenerator, type DirectSource, type Following, isDirect } from './streams/direct-source.js';
export {
  type Entity,
  entity,
  type EntityOptions,
  reference,
  type ReferenceOptions,
  representationAsIs,
} from './schema/entity.js';
export { createInProcess, type ExecutableSubgraph, type InProcessOptions } from './execution/in-process.js';
export { lookAhead, type SelectionInfo } from './execution/look-ahead.js';
export { byKey, defineLoader, LoaderCache } from './context/loaders.js';
export type { LoaderDefinition, Loaders, LoadMany, SubgraphContext } from './context/types.js';
export type { ExecutionMode } from './execution/operation.js';
export type {
  EntryPoint,
  InProcessSubgraph,
  MaybePromise,
  ResolverMap,
  SubgraphCall,
  SubgraphOptions,
  SubgraphResult,
  SubgraphSchema,
} from './types.js';
export { PushQueue, type PushQueueOptions } from './streams/push-queue.js';
export { InFlight } from './servers/in-flight.js';
export { listen, type ListenAddress, type ListenOptions } from './servers/listen.js';
export { boundedConnections } from './servers/connections.js';
export { createWebServer, type TlsFiles, type WebServer } from './servers/web-server.js';
export {
  boundedSockets,
  defaultMessageLimits,
  MessageGate,
  type MessageLimits,
} from './servers/message-gate.js';
export { closeSockets, type KeepAlive, keepAlive } from './servers/socket-upkeep.js';
export { type WaitingSocketLimits, WaitingSockets } from './servers/waiting-sockets.js';
export {
  type BodyAllowance,
  JsonBodies,
  type JsonBodiesOptions,
  largestBodyBytes,
  smallBodyBytes,
} from './json/json-body.js';
export { readBody, type ReadBodyOptions } from './json/arriving-body.js';
export { assertJsonBounds, type JsonBounds, smallJsonBounds } from './json/json-scanner.js';
export { SharedEvent } from './execution/shared-results.js';
export { bearerToken, type TokenVerifier } from './servers/credentials.js';
export type { Readiness, ServedSubgraph, ServeOptions } from './servers/serve.js';
export { serveSubgraph } from './servers/serve-lazily.js';
