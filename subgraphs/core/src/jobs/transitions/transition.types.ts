/** What callers hand to the transition writer, and what it answers. The writer is the only code that changes a job's state. */
import type { JobState, TransitionActor } from '../model/job-state.js';
import type {
  StoredGpuGrant,
  StoredJobError,
  StoredLastEvent,
  StoredMetrics,
  StoredOutput,
} from '../model/job.types.js';

/** The grant of a job to a worker: opens the next attempt. */
export interface GrantChange {
  readonly workerId: string;
  readonly queueId: string;
  readonly queue: string;
  /** Allocated from the broker's lease document, see `scheduler/leader/`. */
  readonly fence: number;
  readonly attemptId: string;
  readonly deviceIds: readonly string[];
  /** What it gives of GPUs; left out where it gives none. */
  readonly gpu?: StoredGpuGrant;
}

/** The end of the open attempt. */
export interface AttemptEndChange {
  readonly exitCode?: number;
  readonly signal?: string;
  readonly error?: StoredJobError;
  readonly metrics?: StoredMetrics;
}

/** Values that a transition writes beside the state. What is left out stays. */
export interface TransitionChange {
  readonly grant?: GrantChange;
  readonly attemptEnd?: AttemptEndChange;
  readonly outputs?: readonly StoredOutput[];
  readonly hold?: { readonly by: string; readonly reason: string } | null;
  /** A backoff until this time; null ends it. */
  readonly notBefore?: Date | null;
  /** Parents known to have FINISHED: the job waits for them no more. Only on the way from PENDING to ACTIVATED. */
  readonly finishedParents?: readonly string[];
  /** A new priority. Only on edges of a waiting state to itself. */
  readonly priority?: number;
}

/** One wished transition. */
export interface TransitionRequest {
  readonly jobId: string;
  readonly from: JobState;
  readonly to: JobState;
  readonly by: TransitionActor;
  /** A subject, or `system:broker`, `system:lease`, … */
  readonly actor: string;
  readonly reason?: string;
  /** For edges with guard `fence`: the fence that the document must carry. */
  readonly fence?: number;
  /** The bulk operation that asks; kept in the job's history. */
  readonly operation?: string;
  readonly change?: TransitionChange;
}

/** What became of it. A refusal tells the document's present state, or null where there is no such job. */
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
 * A transition that was acknowledged by the majority, told to listeners of this process before the stream brings it. Groups are written
 * without reading, so only what the request knew is told beside the states: `fence` (the document's after the transition), `workerId` of
 * a grant, `notBefore`, `priority`.
 */
export interface AppliedTransition {
  readonly jobId: string;
  readonly last: Pick<StoredLastEvent, 'from' | 'to' | 'at'> &
    Partial<Pick<StoredLastEvent, 'fence' | 'workerId' | 'notBefore' | 'priority'>>;
}

/** Groups what arrives within a few milliseconds by edge and writes each group with one guarded pipeline update. */
export interface TransitionWriter {
  /** Resolves when all were answered; outcomes are in the order of the requests. Throws only when the store cannot be reached. */
  apply(requests: readonly TransitionRequest[]): Promise<readonly TransitionOutcome[]>;
  /** Tells a listener of each acknowledged group; returns how to stop. */
  onApplied(listener: (applied: readonly AppliedTransition[]) => void): () => void;
  /** Writes what is waiting and takes no more. */
  close(): Promise<void>;
}
