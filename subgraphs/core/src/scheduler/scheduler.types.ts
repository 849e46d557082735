/** Data of the scheduler. Its rules are pure: data and time are passed in. */
import type { Continuity } from '../shared/continuity.js';
import type { JobState } from '../jobs/model/job-state.js';
import type { StoredAvoidance } from '../jobs/model/decision.types.js';
import type { PreferenceScore, StoredPreemption, StoredRequirements } from '../jobs/model/job.types.js';
import type { QueueFacts } from '../queues/queue-facts.types.js';
import type { ShareFacts } from '../shares/share-facts.types.js';
import type { JobEvent } from '../jobs/model/job-event.types.js';

/** Amounts of resources. */
export interface Capacity {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
}

/** A job that is ready, as a window holds it. */
export interface ReadyJob {
  readonly id: string;
  readonly priority: number;
  readonly owner: string;
  /** Number of the latest attempt; the grant opens the next. */
  readonly attempt: number;
  /** Left out if it has none. */
  readonly taskId?: string;
  /** True if it declares no outputs; left out if unknown. */
  readonly hasNoOutputs?: true;
  /** Hosts and sites that it avoids. */
  readonly avoid?: StoredAvoidance;
  /** See `JobDocument.generation`; left out if it is 0. */
  readonly generation?: number;
}

/** A granted job in the ledger. */
export interface LedgerEntry {
  readonly jobId: string;
  readonly workerId: string;
  readonly queueId: string;
  readonly share: string;
  readonly owner: string;
  readonly classId: string;
  /** Left out if it has none. */
  readonly taskId?: string;
  readonly requirements: Pick<StoredRequirements, 'cores' | 'memoryMiB' | 'diskMiB' | 'gpu' | 'preemptible'>;
  /** Left out for 0. */
  readonly priority?: number;
  readonly deviceIds: readonly string[];
  /**
   * Charge for its devices, in whole GPUs: a MIG slice by its slices, a share by its thousandths; left out if
   * it has none.
   */
  readonly gpus?: number;
  /** Times without contact that apply to the attempt; left out for the defaults. */
  readonly continuity?: Continuity;
  readonly attempt: number;
  /** Infinity while the grant is being written. */
  fence: number;
  state: JobState;
  /** Monotonic milliseconds of this process when the entry was added. */
  readonly since: number;
  /** Names of declared outputs, if known. */
  outputs?: readonly string[];
  /** Set once its end for another job was announced. */
  preemption?: StoredPreemption;
  /** Left out if the job has no preferences, and once the grant is known from the store. */
  readonly preference?: PreferenceScore;
  /** True if the host of the worker is tested by the job; left out once the grant is known from the store. */
  readonly isTest?: true;
}

/** A worker that requests jobs. */
export interface AcquireRequest {
  readonly workerId: string;
  readonly count: number;
  readonly free: Capacity;
  readonly freeDeviceIds: readonly string[];
  /** Experiments whose jobs the caller may get; all if left out. */
  readonly experiments?: readonly string[];
  /** Remaining seconds; unlimited if left out. */
  readonly remainingSeconds?: number;
}

/** Facts of the job in a grant. */
export interface GrantedJob {
  readonly owner: string;
  readonly share: string;
  /** Name of the queue. */
  readonly queue: string;
  readonly workerId: string;
}

/** A job granted to a worker, written and acknowledged. */
export interface Grant {
  readonly jobId: string;
  readonly fence: number;
  readonly attempt: number;
  readonly attemptId: string;
  readonly deviceIds: readonly string[];
  /** Time for which the payload may run on without contact; 0 stops it with the lease. */
  readonly continueSeconds: number;
  /** Left out if another process granted it. */
  readonly job?: GrantedJob;
}

/** The part of the process's event stream that the scheduler and the workers' commands follow. */
export interface JobEventFeed {
  /**
   * Calls the listener with each batch of events, in order; returns a function that removes it. Events may be
   * repeated and may lag behind the store, but none is missing while the feed exists.
   */
  onEvents(listener: (events: readonly JobEvent[]) => void): () => void;
  /**
   * Calls the listener when events may have been missed and derived data must be rebuilt. Returns a function
   * that removes it.
   */
  onReset(listener: () => void): () => void;
}

/** Reads of queues and shares. Small sets: they are read as a whole. */
export interface FleetDirectory {
  queues(): Promise<readonly QueueFacts[]>;
  shares(): Promise<readonly ShareFacts[]>;
  /**
   * Reads what the stream may not have reported yet from the store: queues, shares, and workers, which the
   * feed of workers then reports.
   */
  reread(): Promise<void>;
}
