/** Batch systems as the executor uses them. */

/** A pilot to submit. */
export interface PilotToSubmit {
  readonly id: string;
  /** Number in its batch. */
  readonly number: number;
  /** Code of an invitation, with which it enrols once. */
  readonly code: string;
}

/** Pilots of one request: they have one shape, and are submitted together. */
export interface PilotBatch {
  /** Name of the batch in the batch system. */
  readonly batch: string;
  readonly pilots: readonly PilotToSubmit[];
  readonly resources: BatchResources;
}

/** Resources that the batch system is asked for. */
export interface BatchResources {
  /** Name of the pilots' shape. */
  readonly shape: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly gpus: number;
  /** Name of the GPU's type in the batch system; undefined for any. */
  readonly gpuType: string | undefined;
  /** Time from the start of the batch job to its end. */
  readonly walltimeSeconds: number;
  /** Further arguments of the command that submits. */
  readonly arguments: readonly string[];
}

/**
 * Outcome of a submission. UNKNOWN: the command did not answer in time, and the pilots may be submitted all
 * the same; the next list shows it.
 */
export type SubmitOutcome =
  | { readonly kind: 'ACCEPTED'; readonly batchJobIds: ReadonlyMap<string, string> }
  | { readonly kind: 'REFUSED'; readonly reason: string }
  | { readonly kind: 'UNKNOWN'; readonly reason: string };

/** State of a batch job. REFUSED: it is accepted, but can never start. */
export type BatchJobState = 'PENDING' | 'RUNNING' | 'HELD' | 'REFUSED' | 'ENDED';

/** A batch job of a pilot. */
export interface BatchJob {
  readonly batch: string;
  readonly number: number;
  readonly batchJobId: string;
  readonly state: BatchJobState;
  readonly reason?: string | undefined;
}

/** Batch jobs of pilots. An incomplete list says nothing about those that it does not have. */
export type Listing =
  | { readonly isComplete: true; readonly jobs: readonly BatchJob[] }
  | { readonly isComplete: false; readonly reason: string };

/** Batch jobs that a call cancels. WAITING: only those that have not started meanwhile. */
export type Cancelled = 'WAITING' | 'ANY';

/** A batch system. Calls of one provider follow one another. */
export interface Provider {
  /** Facts for people: version, partitions, limits. @throws Error if the batch system does not answer */
  describe(): Promise<readonly string[]>;
  /** Submits the pilots of a batch by one call. */
  submit(batch: PilotBatch): Promise<SubmitOutcome>;
  /** All batch jobs of pilots of the queue that the batch system still knows. */
  list(): Promise<Listing>;
  /** Ends batch jobs, or only those that wait; unknown ones are ignored. The next list shows the effect. */
  cancel(batchJobIds: readonly string[], which: Cancelled): Promise<void>;
}

/** Makes the program that a batch job runs. */
export type ScriptOf = (batch: PilotBatch, numberVariable: string) => string;
