/** Changes of a job's requirements, with the gain of each. */
import type { EquivalentWorkers } from '../cache/equivalent-workers.js';
import type { Constraint } from '../requirements/constraint.types.js';

/** A change of one constraint. */
export interface Change {
  /** Text of the changed constraint. */
  readonly constraint: string;
  readonly change: string;
  /** Cost of the change; smaller is preferred. */
  readonly cost: number;
}

/** Workers that would fit. */
export interface Gain {
  readonly group: EquivalentWorkers;
  /** Number of workers of the group that would fit. */
  readonly workers: number;
  /** Number of devices of each worker that would serve. */
  readonly devices: number;
}

/** A change with its gain. */
export interface Gained extends Change {
  readonly gains: readonly Gain[];
}

/** A group of workers, checked against all constraints. */
export interface Standing {
  readonly group: EquivalentWorkers;
  /** Constraints that it does not meet, checked independently. */
  readonly failed: Constraint[];
  /** Devices that meet all device constraints so far, by position. */
  devices: readonly boolean[];
  /** True if it meets all constraints so far. */
  passes: boolean;
}
