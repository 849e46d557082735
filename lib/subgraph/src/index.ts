export type { ContextFactory, ContextInit, SubgraphContext } from './context.js';
export {
  type Entity,
  entity,
  type EntityOptions,
  reference,
  type ReferenceOptions,
  representationAsIs,
} from './entity.js';
export { byKey, defineLoader, type LoaderDefinition, Loaders, type LoadMany } from './loaders.js';
export type {
  Door,
  InProcessSubgraph,
  ResolverMap,
  SubgraphCall,
  SubgraphOptions,
  SubgraphResult,
  SubgraphSchema,
} from './types.js';
