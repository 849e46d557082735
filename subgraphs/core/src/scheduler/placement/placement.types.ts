/** What the board of a pass takes and gives. */
import type { DeviceRoom } from '../../gpus/capacity/device-capacity.js';
import type { AcquireRequest } from '../scheduler.types.js';
import type { FleetWorker } from '../cache/fleet.types.js';

/** What a worker that asks has room for. Never changed: what a job takes makes another room. */
export interface Room {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly devices: DeviceRoom;
}

/** A worker that asks. */
export interface Asker {
  /** Its place among the requests of the pass. */
  readonly index: number;
  readonly worker: FleetWorker;
  readonly request: AcquireRequest;
  room: Room;
  /** Jobs that it may still get. */
  left: number;
  /** Of them, jobs without GPUs: those are spread over all who ask. */
  leftPlain: number;
  /** Until it must end; Infinity for no limit. */
  readonly seconds: number;
}

/** A place for a job. */
export interface Placing {
  readonly asker: Asker;
  /** Positions of its devices. */
  readonly positions: readonly number[];
}

/** Workers with equal room. */
export interface Bucket {
  readonly room: Room;
  /** Devices of which all is free. */
  readonly wholeFree: number;
  /** Whether those in it may get jobs without GPUs. */
  readonly takesPlain: boolean;
  readonly askers: Asker[];
  /** Whether those in it differ in the time they have. */
  hasDeadlines: boolean;
}
