/** Calls about work units, as the payload of an attempt makes them through its pilot. */

/** A request for units. */
export interface UnitLeaseRequest {
  /** Id or name of a pool. */
  readonly pool: string;
  /** Most units; default 1. */
  readonly max?: number | undefined;
  /** Seconds to wait for units if there are none; default 0. */
  readonly waitSeconds?: number | undefined;
}

/** A leased unit. */
export interface LeasedWorkUnit {
  readonly id: string;
  readonly fence: number;
  readonly attempt: number;
  readonly key: string;
  readonly orderingKey: string | null;
  readonly size: number | null;
  readonly payload: string | null;
  readonly reference: string | null;
  /** ISO 8601. */
  readonly deadline: string | null;
  /** ISO 8601. */
  readonly expiresAt: string;
}

/** Units, and whether the pool is closed and has none left. */
export interface LeasedWorkUnits {
  readonly units: readonly LeasedWorkUnit[];
  readonly isDrained: boolean;
  /** Time from the answer to the end of the leases: the clock of the host may differ from that of core. */
  readonly leaseSeconds: number;
}

/** A unit that a report is about. */
export interface UnitReport {
  readonly id: string;
  readonly fence: number;
}

/** A unit that is done. */
export interface UnitCompletion extends UnitReport {
  readonly result?: string | undefined;
  readonly seconds?: number | undefined;
}

/** A unit that was not completed. */
export interface UnitFailure extends UnitReport {
  readonly kind?: 'RETRY' | 'DEAD' | 'RETURN' | undefined;
  readonly message?: string | undefined;
}

/** Nodes that a payload adds to its workflow, as the API takes them; core checks them. */
export interface NodesToAdd {
  readonly idempotencyKey: string;
  readonly nodes: readonly object[];
}

/** An error of one report, or of all. */
export interface UnitReportError {
  readonly code: string;
  readonly message: string;
  readonly path: readonly string[];
}

/** Reports that count, and the errors of the others. */
export interface UnitReportAnswer {
  readonly acceptedIds: readonly string[];
  readonly errors: readonly UnitReportError[];
}

/**
 * Calls by the token of one attempt. Each throws CoreRefused or CoreUnavailable, or the signal's reason.
 * Reports may be repeated; a lease that was not answered may have been given, and ends by its time.
 */
export interface UnitCalls {
  lease(request: UnitLeaseRequest, signal: AbortSignal): Promise<LeasedWorkUnits>;
  complete(units: readonly UnitCompletion[], signal: AbortSignal): Promise<UnitReportAnswer>;
  fail(units: readonly UnitFailure[], signal: AbortSignal): Promise<UnitReportAnswer>;
  extend(units: readonly UnitReport[], signal: AbortSignal): Promise<UnitReportAnswer>;
  /** Adds nodes to the workflow of the attempt. Returns their number. A repetition adds none. */
  addNodes(nodes: NodesToAdd, signal: AbortSignal): Promise<number>;
  close(): Promise<void>;
}
