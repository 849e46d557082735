/** Facts and decisions of the control loop. Times are milliseconds of one clock. */
import type { BatchJob } from '../providers/provider.types.js';

/** State of a pilot in core's record, as in the API. */
export type PilotState =
  'REQUESTED' | 'SUBMITTED' | 'PENDING' | 'RUNNING' | 'HELD' | 'UNKNOWN' | 'ENDED' | 'REFUSED';

/** The worker of a pilot. */
export interface PilotWorker {
  readonly id: string;
  /** True until its end is known. */
  readonly isOpen: boolean;
  readonly registeredAtMs: number;
  readonly lastSeenAtMs: number;
}

/** A pilot that has not ended, in core's record. */
export interface OpenPilot {
  readonly id: string;
  readonly batch: string;
  readonly number: number;
  readonly classId: string;
  readonly experiment: string;
  readonly state: PilotState;
  readonly batchJobId: string | undefined;
  readonly requestedAtMs: number;
  /** Time since which this executor has seen it in its state. */
  readonly changedAtMs: number;
  readonly worker: PilotWorker | undefined;
}

/** Demand of a class in an experiment. */
export interface Demand {
  readonly classId: string;
  readonly experiment: string;
  readonly waitingJobs: number;
  readonly missingJobs: number;
  /** Shape that serves it; undefined if none does. */
  readonly shape: string | undefined;
  readonly jobsPerPilot: number;
  readonly reason: string | undefined;
}

/** Limits of a queue. */
export interface QueueLimits {
  /** Most pilots that have not ended. */
  readonly open: number;
  /** Most pilots that have not started. */
  readonly pending: number;
  /** Number of held pilots from which none is requested. */
  readonly held: number;
  readonly perCycle: number;
  readonly perMinute: number;
  /** Most open pilots of one class and experiment. */
  readonly perClass: number;
  /** Most open pilots by experiment; others have no limit of their own. */
  readonly perExperiment: Readonly<Record<string, number>>;
}

/** Times of a queue. */
export interface QueueTimes {
  /** Time without a job after which a pilot ends. */
  readonly idleMs: number;
  /** Time after which a pilot that is in no list counts as never submitted. */
  readonly submitMs: number;
  /** Time after which a pilot that is missing counts as ended. */
  readonly unknownMs: number;
  /** Time after which a held pilot is cancelled. */
  readonly heldMs: number;
  /** Time within which a pilot must have enrolled. */
  readonly codeMs: number;
}

/** Settings of the loop. */
export interface LoopSettings {
  readonly limits: QueueLimits;
  readonly times: QueueTimes;
  /** True if pilots are no longer requested, and those that wait are cancelled. */
  readonly isDraining: boolean;
}

/** State of a pilot that is to be reported. */
export interface Report {
  readonly id: string;
  readonly state: PilotState;
  readonly batchJobId?: string | undefined;
  readonly reason?: string | undefined;
}

/** Differences between core's record and the batch system. */
export interface Reconciliation {
  readonly reports: readonly Report[];
  /** Waiting batch jobs to cancel. */
  readonly cancels: readonly BatchJob[];
  /** Batch jobs without an open pilot in the record; to be cancelled only if core knows that it has ended. */
  readonly unrecorded: readonly BatchJob[];
  /** Pilots that have ended, with what became of them. */
  readonly ended: readonly {
    readonly id: string;
    readonly end: PilotEnd;
    /** True if the batch system lists it as ended, so that its worker has ended, too. */
    readonly isListed: boolean;
  }[];
  /** Pilots as they are after the reports. */
  readonly pilots: readonly OpenPilot[];
}

/** End of a pilot. FAILED: before its worker registered. UNUSED: without having had a job. */
export type PilotEnd = 'WORKED' | 'UNUSED' | 'FAILED' | 'REFUSED';

/** Pilots to request. */
export interface PilotRequest {
  readonly classId: string;
  readonly experiment: string;
  readonly shape: string;
  readonly jobsPerPilot: number;
  readonly count: number;
}

/** Decisions of one cycle, with their reasons. */
export interface Decisions {
  readonly requests: readonly PilotRequest[];
  /** Pilots that wait in the batch system and are no longer wanted. */
  readonly cancels: readonly OpenPilot[];
  readonly reasons: readonly string[];
}

/** Memory of the loop between cycles. */
export interface LoopMemory {
  /** Number of times that the pilots of a cycle are halved. */
  readonly level: number;
  /** Cycles without requests that are left. */
  readonly skip: number;
  /** Times and numbers of the requests of the last minute. */
  readonly recent: readonly { readonly atMs: number; readonly count: number }[];
  /** Number of cycles for which pilots of a class were too many. */
  readonly excess: ReadonlyMap<string, number>;
}

/** Memory of a loop that begins. */
export const noMemory: LoopMemory = { level: 0, skip: 0, recent: [], excess: new Map() };
