/** What the board of a pass takes and gives. */
import type { DeviceCapacity } from '../../gpus/capacity/device-capacity.js';
import type { AcquireRequest } from '../scheduler.types.js';
import type { FleetWorker } from '../cache/fleet.types.js';

/** What a worker that asks has room for. Never changed: what a job takes makes another room. */
export interface FreeCapacity {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly devices: DeviceCapacity;
}

/** A worker that asks. */
export interface Candidate {
  /** Its place among the requests of the pass. */
  readonly index: number;
  readonly worker: FleetWorker;
  readonly request: AcquireRequest;
  capacity: FreeCapacity;
  /** Jobs that it may still get. */
  left: number;
  /** Of them, jobs without GPUs: those are spread over all who ask. */
  leftCpuOnly: number;
  /** Until it must end; Infinity for no limit. */
  readonly seconds: number;
}

/** A place for a job. */
export interface Placement {
  readonly candidate: Candidate;
  /** Positions of its devices. */
  readonly positions: readonly number[];
}

/** Workers with equal room. */
export interface Bucket {
  readonly capacity: FreeCapacity;
  /** Devices of which all is free. */
  readonly wholeFree: number;
  /** Whether those in it may get jobs without GPUs. */
  readonly takesCpuOnly: boolean;
  readonly candidates: Candidate[];
  /** Whether those in it differ in the time they have. */
  hasDeadlines: boolean;
}
