/** What the repository holds, without the means to compose it anew. */
export { committedSupergraph } from './committed.js';
export {
  discoverSubgraphs,
  type ExperimentManifest,
  type FoundSubgraph,
  gatewayName,
  gatewaySubgraph,
  inProcessUrl,
  readManifest,
} from './discover.js';
