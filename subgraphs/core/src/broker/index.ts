/** The broker's rules without a store, a clock or a process: for measurements and simulations. Core itself is the other entry. */
export { explainPending } from './pending.js';
export type { PendingFacts } from './pending.types.js';
export { GrantHistory } from './grant-history.js';
export type { AcquireRequest, QueueFacts, ReadyJob, ShareFacts, WorkerFacts } from './broker.types.js';
export { Demand } from './demand.js';
export { Fleet, type FleetWorker } from './fleet.js';
export { Ledger } from './ledger.js';
export { matchPass, type MatcherState, type PassRequest, type PassResult } from './matcher.js';
export { type ReadyKey, ReadyWindow } from './ready-window.js';
export { ReadyWindows } from './ready-windows.js';
export { classIdOf, prepareClass, type RequirementClass } from './requirement-class.js';
export type { StoredGpuRequirement, StoredRequirements } from '../jobs/job.types.js';
export type { StoredDevice } from '../workers/worker.types.js';
