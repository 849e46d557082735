/** What a placement round takes and gives. */
import type { DeviceCapacity } from '../../gpus/capacity/device-capacity.js';
import type { AcquireRequest } from '../scheduler.types.js';
import type { FleetWorker } from '../cache/fleet.types.js';

/** The free capacity of a candidate. Never changed: a job that is placed makes another one. */
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
  /** Jobs that it may still get. */
  left: number;
  /** Of them, jobs without GPUs: these are spread over all candidates. */
  leftCpuOnly: number;
  /** Until it must end; Infinity for no limit. */
  readonly seconds: number;
}

/** A candidate for a job, with the devices. */
export interface Placement {
  readonly candidate: Candidate;
  /** Positions of its devices. */
  readonly positions: readonly number[];
}

/** Candidates with equal free capacity. */
export interface Bucket {
  readonly capacity: FreeCapacity;
  /** Devices of which all is free. */
  readonly wholeFree: number;
  /** Whether its candidates may get jobs without GPUs. */
  readonly takesCpuOnly: boolean;
  readonly candidates: Candidate[];
  /** Whether its candidates differ in their remaining time. */
  hasDeadlines: boolean;
}
