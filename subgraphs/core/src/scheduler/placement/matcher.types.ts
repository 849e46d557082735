/** Input and result of a pass of the matcher. */
import type { AcquireRequest, LedgerEntry } from '../scheduler.types.js';
import type { Alternatives } from './elsewhere.js';
import type { Fleet } from '../cache/fleet.js';
import type { FleetWorker } from '../cache/fleet.types.js';
import type { GpuDemand } from '../cache/gpu-demand.js';
import type { Ledger } from '../cache/ledger.js';
import type { ReadyWindows } from '../cache/ready-windows.js';
import type { RequirementClass } from '../requirements/requirement-class.js';

/** A worker with a pending acquire, and the maximum number of jobs for it in this pass. */
export interface CandidateRequest {
  readonly worker: FleetWorker;
  readonly request: AcquireRequest;
  readonly limit: number;
  /** Maximum number of jobs without GPUs, which are spread over all candidates; by default the same limit. */
  readonly cpuOnlyLimit?: number;
  /** True if its host is tested by the job. */
  readonly isTest?: true;
  /** True if it may only be tested by a canary job. */
  readonly isCanaryOnly?: true;
}

/** A job chosen for a worker; it has left its window and is booked in the ledger, but not written yet. */
export interface PendingGrant {
  readonly entry: LedgerEntry;
  readonly cls: RequirementClass;
  /** Generation of the job for which it was chosen; left out if it is 0. */
  readonly generation?: number;
}

/** Result of a pass. */
export interface PassResult {
  /** Picks for each request, in the order of the requests. */
  readonly picks: readonly (readonly PendingGrant[])[];
  /** Jobs of owners over their limit; they have left their windows. */
  readonly throttled: readonly { readonly jobId: string; readonly share: string; readonly owner: string }[];
  /** Jobs of tasks at their limit; they have left their windows. */
  readonly overLimit: readonly { readonly jobId: string; readonly taskId: string }[];
  /** True if jobs without GPUs were deferred for recently idle hosts without GPUs. */
  readonly hasDeferred: boolean;
  /** First time at which a job that waits for another host may run anywhere; Infinity without one. */
  readonly avoidsUntilMs: number;
}

/** Input of a pass, updated by it. */
export interface MatcherState {
  readonly fleet: Fleet;
  readonly windows: ReadyWindows;
  readonly ledger: Ledger;
  /** Current time, with which the end of avoidances is compared; without it they are ignored. */
  readonly wallMs?: number;
  /** Answers of earlier passes about other hosts; none without it. */
  readonly alternatives?: Alternatives;
  /** Demand by which capacities are priced; without it there are no prices. */
  readonly demand?: GpuDemand;
  /** Returns true if another job of the task may start; any may without it. */
  readonly mayStart?: (taskId: string) => boolean;
  /** Lowest priority of the jobs to place; all without it. */
  readonly minimumPriority?: number | undefined;
  /** True if only canary jobs are placed. */
  readonly isCanaryOnly?: boolean;
  /** Returns a class, or undefined if it is not loaded. */
  classOf(classId: string): RequirementClass | undefined;
}
