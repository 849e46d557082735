export { createProofKey, type ProofKey } from '@rhizome/client';
export { brokenPromises, checkHistory, checkLeftBehind, checkStore } from './history/check-history.js';
export { exemptions } from './history/exemptions.js';
export { type CheckName, type Finding, type PromiseOfCore, promises } from './history/promises.js';
export { nextStates } from './history/job-table.js';
export { type AnsweredOperation, recordOperation } from './history/operation-answers.js';
export {
  answersCountFor,
  type AnswerSource,
  forgetAnswers,
  nextSubscriber,
  recordAnswer,
  recordedAnswers,
} from './history/records.js';
export { type Closable, leftovers } from './leftovers.js';
export {
  commandsDuring,
  countReads,
  directUri,
  ownMongod,
  testDatabase,
  type TestMongo,
  testMongo,
} from './mongo.js';
export { type TestClient, type TestDatabase } from './test-database.types.js';
export { type ProcessExit, type SpawnOptions, spawnProcess, type TestProcess } from './spawn-process.js';
export { makeStoreFolder } from './store-folder.js';
export { SyslogServer } from './syslog-server.js';
export { type ManualClock, manualClock, seededRandom, testIds, testStart } from './time.js';
export {
  type TestGrants,
  testPrincipal,
  type TestPrincipalOptions,
  type TestTokens,
  testTokens,
} from './tokens.js';
export { pauseProcess } from './pause-process.js';
export { type Awaitable, waitFor, type WaitOptions } from './wait-for.js';
