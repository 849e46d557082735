/** What callers hand to the transition writer, and what it answers. The writer is the only code that changes a job's state. */
import type { JobState, TransitionActor } from './job-state.js';
import type { StoredJobError, StoredLastEvent, StoredMetrics, StoredOutput } from './job.types.js';

/** The grant of a job to a worker: opens the next attempt. */
export interface GrantChange {
  readonly workerId: string;
  readonly queueId: string;
  readonly queue: string;
  /** Allocated from the broker's lease document, see `broker/`. */
  readonly fence: number;
  readonly attemptId: string;
  readonly deviceIds: readonly string[];
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
  readonly change?: TransitionChange;
}

/** What became of it. A refusal tells the document's present state, or null where there is no such job. */
export type TransitionOutcome =
  | { readonly applied: true; readonly jobId: string; readonly revision: number; readonly at: Date }
  | {
      readonly applied: false;
      readonly jobId: string;
      readonly current: { readonly state: JobState; readonly fence: number; readonly revision: number; readonly workerId?: string } | null;
    };

/** A transition that was acknowledged by the majority, told to listeners of this process before the stream brings it. */
export interface AppliedTransition {
  readonly jobId: string;
  readonly last: Pick<StoredLastEvent, 'from' | 'to' | 'at' | 'attempt' | 'fence' | 'workerId' | 'notBefore'>;
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
