/** What the broker knows and decides on. All of it is data: rules of this folder take it, and the time, from outside. */
import type { JobState } from '../jobs/model/job-state.js';
import type { StoredRequirements } from '../jobs/model/job.types.js';
import type { QueueFacts } from '../queues/queue-facts.types.js';
import type { ShareFacts } from '../shares/share-facts.types.js';
import type { JobEvent } from '../jobs/model/job-event.types.js';

/** An amount of what jobs ask for. */
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
  /** The latest attempt; the grant opens the next. */
  readonly attempt: number;
  /** It declares no outputs; left out: nobody has looked. */
  readonly hasNoOutputs?: true;
}

/** A job in the hands of a worker, as the ledger holds it. */
export interface LedgerEntry {
  readonly jobId: string;
  readonly workerId: string;
  readonly queueId: string;
  readonly share: string;
  readonly owner: string;
  readonly classId: string;
  readonly requirements: Pick<StoredRequirements, 'cores' | 'memoryMiB' | 'diskMiB' | 'gpu'>;
  readonly deviceIds: readonly string[];
  /** What its devices are charged as, in whole GPUs: a MIG slice by its slices, a share by its thousandths; left out: none. */
  readonly gpus?: number;
  readonly attempt: number;
  /** Infinity while the grant is being written. */
  fence: number;
  state: JobState;
  /** Monotonic milliseconds of this process when it was put down here. */
  readonly since: number;
  /** Names of declared outputs, once known. */
  outputs?: readonly string[];
}

/** A worker that asks for work. */
export interface AcquireRequest {
  readonly workerId: string;
  readonly count: number;
  readonly free: Capacity;
  readonly freeDeviceIds: readonly string[];
  /** Experiments whose jobs the caller may take; left out: all. */
  readonly experiments?: readonly string[];
  /** Seconds; left out: no limit. */
  readonly remainingSeconds?: number;
}

/** What a grant knows of its job beside the grant. */
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
  /** Left out where another process granted it. */
  readonly job?: GrantedJob;
}

/** The part of the process's event stream that the broker and the workers' commands follow. */
export interface JobEventFeed {
  /**
   * Calls the listener with each batch of events, in order; returns how to stop. Events may be told more than once and may lag behind the
   * store, never go missing while the feed lives.
   */
  onEvents(listener: (events: readonly JobEvent[]) => void): () => void;
  /** Calls the listener when events may have gone by unseen: what was derived from them is derived anew. Returns how to stop. */
  onReset(listener: () => void): () => void;
}

/** Where queues and shares are read. Small sets: they are read whole. */
export interface FleetDirectory {
  queues(): Promise<readonly QueueFacts[]>;
  shares(): Promise<readonly ShareFacts[]>;
  /** Reads from the store what the stream may not have told yet: queues, shares, and workers, which the feed of workers then tells. */
  reread(): Promise<void>;
}
