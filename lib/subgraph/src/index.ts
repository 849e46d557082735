export { buildSubgraph } from './build.js';
export { type Coerced, compileCoercion } from './coercion.js';
export { settleResolvers } from './compilable.js';
export {
  type ContextFactory,
  type ContextInit,
  countLoadsHeader,
  forwardedHeader,
  type SubgraphContext,
} from './context.js';
export { isTooDeep, tooDeep } from './depth.js';
export { DirectGenerator, type DirectSource, type Following, isDirect } from './direct.js';
export {
  type Entity,
  entity,
  type EntityOptions,
  reference,
  type ReferenceOptions,
  representationAsIs,
} from './entity.js';
export { createInProcess, type ExecutableSubgraph, type InProcessOptions } from './in-process.js';
export { lookAhead, type SelectionInfo } from './look-ahead.js';
export { byKey, defineLoader, type LoaderDefinition, Loaders, type LoadMany } from './loaders.js';
export type { ExecutionMode } from './operation.js';
export type {
  Door,
  InProcessSubgraph,
  MaybePromise,
  ResolverMap,
  SubgraphCall,
  SubgraphOptions,
  SubgraphResult,
  SubgraphSchema,
} from './types.js';
export { SharedEvent } from './shared-answers.js';
export type { TokenVerifier } from './credentials.js';
export type { Readiness, ServedSubgraph, ServeOptions } from './serve.js';
export { serveSubgraph } from './serve-when-asked.js';
