/** What the repository holds, without the means to compose it anew: composition takes its time to load. */
export { committedSupergraph } from './committed.js';
export {
  discoverSubgraphs,
  experimentName,
  type ExperimentManifest,
  type FoundSubgraph,
  gatewayName,
  gatewaySubgraph,
  inProcessUrl,
  readManifest,
} from './discover.js';
