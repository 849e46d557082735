/** Requests to the transition writer and their outcomes. Only the writer changes the state of jobs. */
import type { Continuity } from '../../shared/continuity.js';
import type { JobState, TransitionActor } from '../model/job-state.js';
import type { StoredAvoidance, StoredDecision } from '../model/decision.types.js';
import type {
  MemoryLimitMethod,
  PreemptedFor,
  PreferenceScore,
  StoredGpuGrant,
  StoredJobError,
  StoredLastEvent,
  StoredMetrics,
  StoredOutput,
  StoredRequirements,
  UncountedReason,
} from '../model/job.types.js';

/** Grant of a job to a worker; opens the next attempt. */
export interface GrantChange {
  readonly workerId: string;
  readonly queueId: string;
  readonly queue: string;
  /** Host of the worker, and site of the queue; absent if unknown. */
  readonly host?: string;
  readonly site?: string;
  /** Allocated from the broker's lease document; see `scheduler/leader/`. */
  readonly fence: number;
  readonly attemptId: string;
  readonly deviceIds: readonly string[];
  /** Granted GPUs; absent if there are none. */
  readonly gpu?: StoredGpuGrant;
  /** Times without contact that apply; absent for the defaults. */
  readonly continuity?: Continuity;
  readonly uncounted?: UncountedReason;
  /** Absent if the job has no preferences. */
  readonly preference?: PreferenceScore;
}

/**
 * Return of a worker whose attempt core had given up, or of its pilot as another worker: the attempt is valid
 * again under a new fence. It replaces a grant that was made meanwhile.
 */
export interface AdoptionChange {
  /** Number of the attempt that is valid again. */
  readonly attempt: number;
  readonly workerId: string;
  readonly queueId: string;
  readonly queue: string;
  /** Higher than every fence of the job so far. */
  readonly fence: number;
  /** Fence under which the attempt was held until now. */
  readonly earlierFence: number;
  /** GPUs of the attempt; absent if there are none. */
  readonly gpu?: StoredGpuGrant;
}

/** End of the open attempt. */
export interface AttemptEndChange {
  readonly exitCode?: number;
  readonly signal?: string;
  readonly error?: StoredJobError;
  readonly metrics?: StoredMetrics;
  /** Decision about the failed attempt. */
  readonly decision?: StoredDecision;
  /** Outputs that the failed attempt keeps. */
  readonly keptOutputs?: readonly StoredOutput[];
}

/** Requirements of the next attempt, with their class; the class must be stored. */
export interface RequirementsChange {
  readonly requirements: StoredRequirements;
  readonly classId: string;
}

/** Values that a transition writes in addition to the state. Absent values are not changed. */
export interface TransitionChange {
  readonly grant?: GrantChange;
  readonly adoption?: AdoptionChange;
  /** Core gives the attempt up, but its payload may run on: end of the lease of its worker. */
  readonly unreachableSince?: Date;
  /** Only to RUNNING. */
  readonly memoryLimit?: MemoryLimitMethod;
  /** The attempt ends for another job. Only on edges of STARTING and RUNNING to themselves. */
  readonly preemption?: PreemptedFor;
  readonly attemptEnd?: AttemptEndChange;
  readonly outputs?: readonly StoredOutput[];
  readonly hold?: { readonly by: string; readonly reason: string } | null;
  /** End of a backoff; null ends the backoff. */
  readonly notBefore?: Date | null;
  /** Hosts and sites that the next attempt avoids. */
  readonly avoid?: StoredAvoidance;
  /** Only when an attempt ends and another follows, or on edges of a waiting state to itself. */
  readonly requirements?: RequirementsChange;
  /** Path of another share. Only on edges of a waiting state to itself. */
  readonly share?: string;
  /** Another maximum number of attempts. Only on edges of a waiting state to itself. */
  readonly maxAttempts?: number;
  /** FINISHED parents that the job no longer waits for. Only from PENDING to ACTIVATED. */
  readonly finishedParents?: readonly string[];
  /** New priority. Only on edges of a waiting state to itself. */
  readonly priority?: number;
}

/** Requested transition. */
export interface TransitionRequest {
  readonly jobId: string;
  readonly from: JobState;
  readonly to: JobState;
  readonly by: TransitionActor;
  /** Subject of the principal, or `system:broker`, `system:lease`, … */
  readonly actor: string;
  readonly reason?: string;
  /** Fence that the document must carry; for edges with guard `fence`. */
  readonly fence?: number;
  /** Generation that the document must have; see `JobDocument.generation`. Absent: any. */
  readonly generation?: number;
  /** Value of `JobDocument.uncountedEnds` that the document must have, null for none. Absent: any. */
  readonly uncountedEnds?: number | null;
  /** Bulk operation, or change of a task, of the request; kept in the job's history. */
  readonly operation?: string;
  readonly change?: TransitionChange;
}

/**
 * Result of a request. A refusal contains the current state of the document, or null if there is no such job.
 */
export type TransitionOutcome =
  | { readonly applied: true; readonly jobId: string; readonly at: Date }
  | {
      readonly applied: false;
      readonly jobId: string;
      readonly current: {
        readonly state: JobState;
        readonly fence: number;
        readonly revision: number;
        readonly workerId?: string;
      } | null;
    };

/**
 * Transition that was acknowledged by the majority; listeners of this process receive it before the change
 * stream delivers it. Groups are written without reading, so it has only values of the request in addition to
 * the states: `fence` (of the document after the transition), `workerId` of a grant, `notBefore`, `priority`.
 */
export interface AppliedTransition {
  readonly jobId: string;
  readonly last: Pick<StoredLastEvent, 'from' | 'to' | 'at'> &
    Partial<Pick<StoredLastEvent, 'fence' | 'workerId' | 'notBefore' | 'priority'>>;
}

/**
 * Groups requests that arrive within a few milliseconds by edge, and writes each group with one guarded
 * pipeline update.
 */
export interface TransitionWriter {
  /**
   * Applies transitions; outcomes are in the order of the requests. Throws only if the store cannot be
   * reached.
   */
  apply(requests: readonly TransitionRequest[]): Promise<readonly TransitionOutcome[]>;
  /** Registers a listener of acknowledged groups. @returns function that removes it */
  onApplied(listener: (applied: readonly AppliedTransition[]) => void): () => void;
  /** Writes pending requests and accepts no more. */
  close(): Promise<void>;
}
