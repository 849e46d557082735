/**
 * The scheduler's rules without store, clock or process, for benchmarks and simulations. The other entry
 * point is core itself.
 */
export { explainPending } from './explain/pending.js';
export type { PendingFacts } from './explain/pending.types.js';
export { GrantHistory } from './cache/grant-history.js';
export type { AcquireRequest, ReadyJob } from './scheduler.types.js';
export type { ShareFacts } from '../shares/share-facts.types.js';
export type { QueueFacts } from '../queues/queue-facts.types.js';
export type { WorkerFacts } from './worker-facts.types.js';
export { GpuDemand } from './cache/gpu-demand.js';
export { Fleet } from './cache/fleet.js';
export { type FleetWorker } from './cache/fleet.types.js';
export { Ledger } from './cache/ledger.js';
export { matchPass } from './placement/matcher.js';
export { type MatcherState, type CandidateRequest, type PassResult } from './placement/matcher.types.js';
export { type ReadyKey, ReadyWindow } from './cache/ready-window.js';
export { ReadyWindows } from './cache/ready-windows.js';
export { prepareClass, type RequirementClass } from './requirements/requirement-class.js';
export { classIdOf } from '../jobs/model/requirement-class-id.js';
export type { StoredRequirements } from '../jobs/model/job.types.js';
export type { StoredGpuRequirement } from '../gpus/gpu-requirement.types.js';
export type { DeviceDocument } from '../gpus/device.types.js';
