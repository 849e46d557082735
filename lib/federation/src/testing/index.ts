// Test support for packages that build on the engine: an engine over test subgraphs, and the differential
// campaign.
export {
  composeSubgraphs,
  recordingLog,
  type RecordingLog,
  type TestAnswer,
  type TestError,
  type TestEngine,
  createTestEngine,
  tester,
} from './test-engine.js';
export { type TestContext, type TestSubgraph, testSubgraph, type TestSubgraphInit } from './test-subgraph.js';
export { type CampaignCall, type CampaignReport, runCampaignProcess } from './differential/campaign-call.js';
export type { Reach } from './differential/reach.js';
