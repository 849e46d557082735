/** A group of transitions over one edge, and the form of its update. */
import type { JobEdge } from '../model/job-state.js';
import type { TransitionRequest } from './transition.types.js';

/** Filter or pipeline stage in the form that the driver accepts. */
export type Plain = Readonly<Record<string, unknown>>;

/** Requests that one update writes. */
export interface TransitionGroup {
  readonly edge: JobEdge;
  /** Changed fields, the same for all requests; part of `groupKey`. */
  readonly shape: TransitionShape;
  readonly requests: readonly TransitionRequest[];
  /** Time of all transitions of the group. */
  readonly at: Date;
}

/** Parts of the document that a transition changes. */
export interface TransitionShape {
  /** Increments the fence, so that a late report of a worker is refused. */
  readonly raisesFence: boolean;
  readonly grants: boolean;
  /** The attempt of a worker that returned is valid again. */
  readonly adopts: boolean;
  /** The attempt is given up, but its worker may return. */
  readonly losesContact: boolean;
  readonly limitsMemory: boolean;
  /** The end of the attempt for another job is announced. */
  readonly preempts: boolean;
  readonly reportsEnd: boolean;
  /** The attempt ended as planned, and costs none. */
  readonly endsAsPlanned: boolean;
  /** The attempt ended and costs none: in any case, or if it is marked as uncounted. */
  readonly uncountedEnd: 'yes' | 'ifMarked' | 'no';
  readonly outputs: boolean;
  readonly hold: 'set' | 'clear' | 'keep';
  readonly notBefore: 'set' | 'clear' | 'keep';
  readonly priority: boolean;
  readonly avoids: boolean;
  /** The next attempt has other requirements, and so another class. */
  readonly changesRequirements: boolean;
  readonly movesShare: boolean;
  readonly changesAttempts: boolean;
  /** Generation that all documents of the group must have; absent: any. */
  readonly generation?: number | undefined;
  /** Number of uncounted ends that all documents of the group must have, null for none; absent: any. */
  readonly uncountedEnds?: number | null | undefined;
}
