export { compose, type Composition, type CompositionFault, type SubgraphInput } from './compose.js';
export { committedSupergraph } from './committed.js';
export { composeBaseline, type Baseline } from './baseline.js';
export {
  discoverSubgraphs,
  manifestSchema,
  readManifest,
  type ExperimentManifest,
  type FoundSubgraph,
} from './discover.js';
export { checkExperimentSchema, definedTypes, type RuleSubject, type RuleViolation } from './rules.js';
