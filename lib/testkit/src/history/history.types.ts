/**
 * What a store keeps about jobs, as its checker reads it. The checker is independent of core: it knows the
 * stored form, and none of the code that writes it.
 */

/** A position among all writes that were read, in the order of the store. */
export type Position = number;

/** Event of a job, as subscribers receive it. */
export interface StoredEvent {
  readonly revision: number;
  readonly from: string | null;
  readonly to: string;
  readonly at: Date;
  readonly actor: string;
  readonly attempt: number;
  readonly experiment: string;
  readonly owner?: string;
  readonly share: string;
  readonly queue?: string;
  readonly previousQueue?: string;
  readonly gpu?: StoredGpus;
  readonly previousGpu?: StoredGpus | null;
  readonly taskId?: string;
  readonly notBefore?: Date;
  readonly workerId?: string;
  readonly fence: number;
  readonly priority?: number;
}

/** GPUs of a grant. */
export interface StoredGpus {
  readonly model: string;
  readonly count: number;
}

/** Attempt of a job. */
export interface StoredAttempt {
  readonly number: number;
  readonly workerId: string;
  readonly fence: number;
  readonly earlierFence?: number;
  readonly deviceIds: readonly string[];
  readonly sentAt: Date;
  readonly startedAt?: Date;
  readonly endedAt?: Date;
  readonly outcome?: string;
  readonly error?: {
    readonly family: string;
    readonly code: string;
    readonly message: string;
    readonly retryable: boolean;
  };
  readonly continuity?: { readonly continueSeconds: number; readonly reassignAfterSeconds: number };
  /** Set when core gave up the attempt while its payload may still run. */
  readonly unreachable?: { readonly since: Date };
  /** Time for which the payload ran without use, until its worker returned. */
  readonly lostSeconds?: number;
  /** Decision about its end; `rule` is absent if the retry policy of the job decided. */
  readonly decision?: { readonly outcome: string; readonly rule?: string };
  /** Set if the attempt does not count when it fails: its host was tested by it. */
  readonly uncounted?: string;
  readonly preemption?: { readonly jobId: string };
}

/** Job in its latest form. */
export interface StoredJob {
  readonly _id: string;
  readonly revision: number;
  readonly state: string;
  readonly createdAt: Date;
  readonly experiment: string;
  readonly taskId?: string;
  readonly taskIndex?: number;
  readonly classId: string;
  readonly retry: { readonly maxAttempts: number; readonly retryOn: readonly string[] };
  readonly requirements: {
    readonly gpu?: { readonly share?: number; readonly exclusive?: boolean };
  };
  readonly dependsOn: readonly string[];
  readonly waitingFor: readonly string[];
  readonly lookup: readonly string[];
  readonly hold?: object;
  readonly notBefore?: Date;
  readonly attempt: number;
  readonly attempts: readonly StoredAttempt[];
  readonly plannedEnds?: number;
  readonly uncountedEnds?: number;
  readonly fence: number;
  readonly workerId?: string;
  readonly last: StoredEvent;
  readonly transitions: readonly {
    readonly revision: number;
    readonly from: string;
    readonly to: string;
    readonly attempt: number;
    readonly actor: string;
  }[];
  readonly stateTimes: Readonly<Record<string, Date>>;
  readonly retryOf?: string;
  readonly retriedBy?: string;
}

/** Write to a job. */
export interface JobWrite {
  readonly position: Position;
  /** Position in the change stream. */
  readonly token: string;
  readonly kind: 'INSERT' | 'UPDATE' | 'DELETE';
  readonly jobId: string;
  /** Event that the write carries for subscribers. */
  readonly last?: StoredEvent;
  /** Values that the write sets. */
  readonly state?: string;
  readonly revision?: number;
}

/** Write that removes the lease of a worker, which is the last step of a loss. */
export interface LeaseWrite {
  readonly position: Position;
  readonly workerId: string;
}

/** Write that changes the state of a task. */
export interface TaskWrite {
  readonly position: Position;
  readonly taskId: string;
  readonly state: string;
}

/** Worker in its latest form. */
export interface StoredWorker {
  readonly _id: string;
  readonly host?: string;
  readonly queueId?: string;
  readonly state?: string;
  readonly updatedAt?: Date;
  readonly devices?: readonly { readonly id: string; readonly parentId?: string }[];
}

/** Task in its latest form. */
export interface StoredTask {
  readonly _id: string;
  readonly state: string;
  readonly totalJobs: number;
  readonly createdJobs: number;
  readonly endStates?: Readonly<Record<string, number>>;
  /** Command by which it was stopped. */
  readonly control?: { readonly action: string };
}

/** Recorded submit. */
export interface StoredSubmission {
  readonly _id: string;
  readonly createdAt: Date;
  readonly batchId: string;
  readonly count: number;
  readonly refused: readonly { readonly index: number }[];
  readonly doneAt?: Date;
}

/** Recorded change of many jobs. */
export interface StoredOperation {
  readonly _id: string;
  readonly kind: string;
  readonly state: string;
  readonly changedIds?: readonly string[];
}

/** Stored counts with their position in the change stream. */
export interface StoredCounts {
  readonly token: string;
  readonly jobs: readonly {
    readonly experiment: string;
    readonly queue: string | null;
    readonly gpuModel?: string | null;
    readonly share: string;
    readonly state: string;
    readonly count: number;
  }[];
}

/** Answer that a caller received; test set-ups record them. */
export type RecordedAnswer =
  | { readonly kind: 'GRANT'; readonly workerId: string; readonly jobId: string; readonly fence: number }
  | {
      readonly kind: 'REPORT';
      readonly jobId: string;
      readonly fence: number;
      readonly phase: 'STARTING' | 'RUNNING' | 'HOLDING' | 'TRANSFERRING' | 'FINISHED' | 'FAILED';
    }
  | { readonly kind: 'DROP'; readonly workerId: string; readonly jobId: string; readonly fence: number }
  | { readonly kind: 'CANCEL'; readonly jobId: string }
  | {
      readonly kind: 'SUBMIT';
      readonly key: string;
      /** In the order of the input; empty for a job that was refused. */
      readonly jobIds: readonly string[];
    }
  | {
      readonly kind: 'EVENT';
      readonly subscriber: number;
      readonly jobId: string;
      readonly revision: number;
      /** True if the subscriber receives every event of its jobs. */
      readonly isComplete: boolean;
    };

/** Everything that is known about the jobs of one store. */
export interface History {
  /** Jobs by id. */
  readonly jobs: ReadonlyMap<string, StoredJob>;
  /** False if there are more jobs than are read. */
  readonly hasAllJobs: boolean;
  /** Writes to jobs in their order. */
  readonly writes: readonly JobWrite[];
  /** The writes of each job whose first one was read. */
  readonly logs: ReadonlyMap<string, readonly JobWrite[]>;
  /** True if the writes go up to the documents. */
  readonly hasAllWrites: boolean;
  readonly leaseWrites: readonly LeaseWrite[];
  readonly taskWrites: readonly TaskWrite[];
  readonly workers: ReadonlyMap<string, StoredWorker>;
  /** Workers with a lease. */
  readonly leased: ReadonlySet<string>;
  /** Sites of queues by id. */
  readonly sites: ReadonlyMap<string, string | undefined>;
  readonly tasks: readonly StoredTask[];
  readonly submissions: readonly StoredSubmission[];
  readonly operations: readonly StoredOperation[];
  readonly classIds: ReadonlySet<string>;
  readonly counts?: StoredCounts;
  /** Next fence that the leader allocates; absent without a leader. */
  readonly nextFence?: number;
  readonly answers: readonly RecordedAnswer[];
}

/** A fact that breaks a promise: one line that names the job. */
export type Fact = string;
