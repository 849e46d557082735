/** The broker's rules without a store, a clock or a process: for measurements and simulations. Core itself is the other entry. */
export { explainPending } from './explain/pending.js';
export type { PendingFacts } from './explain/pending.types.js';
export { GrantHistory } from './cache/grant-history.js';
export type { AcquireRequest, QueueFacts, ReadyJob, ShareFacts, WorkerFacts } from './scheduler.types.js';
export { Demand } from './cache/gpu-demand.js';
export { Fleet, type FleetWorker } from './cache/fleet.js';
export { Ledger } from './cache/ledger.js';
export { matchPass, type MatcherState, type PassRequest, type PassResult } from './placement/matcher.js';
export { type ReadyKey, ReadyWindow } from './cache/ready-window.js';
export { ReadyWindows } from './cache/ready-windows.js';
export { classIdOf, prepareClass, type RequirementClass } from './requirements/requirement-class.js';
export type { StoredGpuRequirement, StoredRequirements } from '../jobs/model/job.types.js';
export type { StoredDevice } from '../workers/worker.types.js';
