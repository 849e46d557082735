/** Scouts of a task: the jobs that run first, and what follows from their use. */
import type { ChangeableAmount } from '../../jobs/model/decision.types.js';

/** Rule by which an amount of the other jobs follows from the use of the scouts. */
export interface StoredScoutRule {
  /** Percentile of the use, 1 to 100. */
  readonly percentile: number;
  readonly factor: number;
}

/** Rules by amount; an amount without a rule stays as it was submitted. */
export type StoredScoutRules = Readonly<Partial<Record<ChangeableAmount, StoredScoutRule>>>;

/** Scouts of a task. */
export interface StoredScouts {
  /** Number of jobs that run first. */
  readonly count: number;
  /** More failed scouts than this fraction abort the task. */
  readonly maxFailedFraction: number;
  readonly rules: StoredScoutRules;
  /** Absent until the scouts have ended. */
  readonly result?: StoredScoutResult;
}

/** Requirements that followed from the use of the scouts. */
export interface StoredScoutResult {
  readonly at: Date;
  /** Subject of the principal that ended the scouting; absent if the scouts had ended. */
  readonly by?: string;
  readonly reason?: string;
  /** Number of FINISHED scouts. */
  readonly finished: number;
  readonly shapes: readonly StoredScoutShape[];
}

/** Requirements of the jobs of one shape. */
export interface StoredScoutShape {
  /** Position in the variants of the task; absent for the template. */
  readonly variant?: number;
  /** Number of FINISHED scouts of this shape. */
  readonly finished: number;
  readonly amounts: readonly StoredScoutAmount[];
  /** Size of all outputs of a job, in bytes; absent without FINISHED scouts. */
  readonly outputBytes?: StoredUse;
}

/** Use of the scouts that were measured. */
export interface StoredUse {
  readonly measured: number;
  /** At the percentile. */
  readonly used: number;
  readonly most: number;
}

/** A requirement, with the use from which it follows. */
export interface StoredScoutAmount {
  readonly field: ChangeableAmount;
  readonly before: number;
  readonly after: number;
  /** Absent if the use was not measured, or if the amount has no rule. */
  readonly use?: StoredUse;
  /** Largest amount that workers offer, if more was wanted. */
  readonly limit?: number;
  /** The principal that ended the scouting gave the amount. */
  readonly isOverridden?: true;
}
