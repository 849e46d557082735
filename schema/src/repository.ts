/** Contents of the repository, without the composition library, which is slow to load. */
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
