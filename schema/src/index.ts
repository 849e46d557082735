export {
  compose,
  publicSdlOf,
  type Composition,
  type CompositionFault,
  type SubgraphInput,
} from './compose.js';
export { committedSupergraph } from './committed.js';
export { composeBaseline, type Baseline } from './baseline.js';
export {
  discoverSubgraphs,
  manifestSchema,
  readManifest,
  type ExperimentManifest,
  type FoundSubgraph,
  gatewayName,
  gatewaySubgraph,
  inProcessUrl,
} from './discover.js';
export { brokenBy } from './agent-operations/findings.js';
export { checkExperimentSchema, definedTypes, type RuleSubject, type RuleViolation } from './rules.js';
export { compareSchemas, compareSupergraphs, type SchemaChange, type Severity } from './changes.js';
export { checkSubgraph, coreFirst, type CheckInput, type CheckReport, type GraphSubgraph } from './check.js';
export { cures, finding, type Finding, type Rule } from './findings.js';
export { canonicalSdl, completeSdl, ownDocument, sdlDigest, sharedSdl } from './shared-definitions.js';
export { brokenPromises } from './served.js';
