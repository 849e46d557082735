/** Changes of a job's requirements, and what each gains. */
import type { EquivalentWorkers } from '../cache/equivalent-workers.js';
import type { Constraint } from '../requirements/constraint.types.js';

/** A change of one thing. */
export interface Change {
  /** The constraint that is changed, as it reads. */
  readonly constraint: string;
  readonly change: string;
  /** How much is given up: smaller is cheaper. */
  readonly cost: number;
}

/** Workers that would fit. */
export interface Gain {
  readonly group: EquivalentWorkers;
  /** How many of the group. */
  readonly workers: number;
  /** Devices of each that would serve. */
  readonly devices: number;
}

/** A change with what it gains. */
export interface Gained extends Change {
  readonly gains: readonly Gain[];
}

/** A group of workers against all constraints. */
export interface Standing {
  readonly group: EquivalentWorkers;
  /** The constraints that it does not meet, by themselves. */
  readonly failed: Constraint[];
  /** Devices that meet all device constraints so far, by position. */
  devices: readonly boolean[];
  /** Whether it meets all constraints so far. */
  passes: boolean;
}
