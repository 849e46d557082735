/** Work units as blocks store them. */

/** States of a unit. */
export type UnitState = 'WAITING' | 'LEASED' | 'COMPLETED' | 'DEAD';

/** Right of a job to a unit, until a time. */
export interface UnitLease {
  readonly jobId: string;
  readonly site?: string;
  readonly at: Date;
  readonly until: Date;
}

/** Reasons for a failed attempt of a unit. */
export type UnitErrorCode = 'FAILED' | 'LEASE_EXPIRED' | 'JOB_ENDED' | 'DEADLINE_PASSED';

/** Latest failure of a unit. */
export interface UnitError {
  readonly code: UnitErrorCode;
  readonly message?: string;
  readonly at: Date;
  readonly jobId?: string;
  /** Number of the lease that failed. */
  readonly fence?: number;
}

/** End of a completed unit. */
export interface UnitEnd {
  readonly at: Date;
  readonly jobId: string;
  readonly site?: string;
  readonly seconds: number;
  /** Document with the result. */
  readonly completionId: string;
}

/** A unit in its block; its payload is in the document of payloads. */
export interface StoredUnit {
  readonly key: string;
  readonly orderingKey?: string;
  readonly size?: number;
  /** Bytes of the payload. */
  readonly bytes: number;
  readonly deadline?: Date;
  readonly state: UnitState;
  /** Number of attempts that count. */
  readonly attempts: number;
  /** Number of leases. A report counts if it has the number of the latest one. */
  readonly fence: number;
  /** Number of attempts that failed, also before it was a dead letter; absent for none. */
  readonly failures?: number;
  /** Time from which it waits, if it is later than the creation of the block. */
  readonly since?: Date;
  /** Earliest time of the next attempt. */
  readonly notBefore?: Date;
  readonly lease?: UnitLease;
  readonly error?: UnitError;
  readonly end?: UnitEnd;
}

/** A block as the rules need it. */
export interface Block {
  readonly _id: string;
  readonly revision: number;
  readonly createdAt: Date;
  readonly priority: number;
  readonly sequence: number;
  readonly units: readonly StoredUnit[];
}

/** A changed unit. */
export interface UnitChange {
  readonly position: number;
  readonly unit: StoredUnit;
}
