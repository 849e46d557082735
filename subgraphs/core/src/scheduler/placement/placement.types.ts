/** Input and result of a placement round. */
import type { DeviceCapacity } from '../../gpus/capacity/device-capacity.js';
import type { AcquireRequest } from '../scheduler.types.js';
import type { FleetWorker } from '../cache/fleet.types.js';

/** Free capacity of a candidate. Immutable: placing a job creates a new one. */
export interface FreeCapacity {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly devices: DeviceCapacity;
}

/** A worker with a pending acquire. */
export interface Candidate {
  /** Its index among the requests of the pass. */
  readonly index: number;
  readonly worker: FleetWorker;
  readonly request: AcquireRequest;
  capacity: FreeCapacity;
  /** Number of jobs that it may still get. */
  left: number;
  /** Number of jobs without GPUs that it may still get: these are spread over all candidates. */
  leftCpuOnly: number;
  /** Remaining time; Infinity without limit. */
  readonly seconds: number;
}

/** A candidate for a job, with the devices. */
export interface Placement {
  readonly candidate: Candidate;
  /** Positions of the devices. */
  readonly positions: readonly number[];
}

/** Candidates with equal free capacity. */
export interface Bucket {
  readonly capacity: FreeCapacity;
  /** Number of completely free devices. */
  readonly wholeFree: number;
  /** True if its candidates may get jobs without GPUs. */
  readonly takesCpuOnly: boolean;
  readonly candidates: Candidate[];
  /** True if its candidates differ in their remaining time. */
  hasDeadlines: boolean;
}
