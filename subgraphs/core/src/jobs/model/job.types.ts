/** The stored shape of a job and its parts. `job.document.ts` has the validator and the indexes that go with it. */
import type { JobState } from './job-state.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';

/** What a job asks of a worker, normalised: defaults filled in, lists sorted, absent facts left out. */
export interface StoredRequirements {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly walltimeSeconds: number;
  readonly architecture?: string;
  readonly architectureLevel?: string;
  readonly containerRuntime?: string;
  readonly network: boolean;
  /** Queue name. */
  readonly queue?: string;
  readonly selector?: string;
  readonly gpu?: StoredGpuRequirement;
}

/** What is run. */
export interface StoredPayload {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  readonly image?: string;
  readonly inputs: readonly { readonly name: string; readonly location: string }[];
  readonly outputs: readonly string[];
}

/** The families of errors. */
export type JobErrorFamily = 'PAYLOAD' | 'WORKER' | 'LIMIT' | 'DATA' | 'SYSTEM';

/** When and how often a failed attempt is tried again. */
export interface StoredRetryPolicy {
  readonly maxAttempts: number;
  readonly backoffSeconds: number;
  readonly backoffFactor: number;
  readonly retryOn: readonly JobErrorFamily[];
}

/** What went wrong. */
export interface StoredJobError {
  readonly family: JobErrorFamily;
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}

/** What an attempt used; facts that were not measured are left out. */
export interface StoredMetrics {
  readonly cpuSeconds?: number;
  readonly wallSeconds?: number;
  readonly peakMemoryMiB?: number;
  readonly readBytes?: number;
  readonly writeBytes?: number;
  readonly gpuUtilisation?: number;
  readonly gpuPeakMemoryMiB?: number;
  readonly isPartial: boolean;
}

/** One declared output where it was put. */
export interface StoredOutput {
  readonly name: string;
  readonly location: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** GPUs that a job was given. */
export interface StoredGpuGrant {
  /** The model, as its driver names it; the devices of one worker that one job gets are of one model. */
  readonly model: string;
  /** Devices, or MIG slices; a share of a device counts as its part. */
  readonly count: number;
}

/** One try of a job on one worker. */
export interface StoredAttempt {
  readonly number: number;
  readonly id: string;
  readonly workerId: string;
  readonly queueId: string;
  readonly fence: number;
  readonly deviceIds: readonly string[];
  readonly sentAt: Date;
  readonly startedAt?: Date;
  readonly endedAt?: Date;
  readonly outcome?: JobState;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly error?: StoredJobError;
  readonly metrics?: StoredMetrics;
}

/** One entry of the bounded transition list. */
export interface StoredTransition {
  readonly revision: number;
  readonly from: JobState;
  readonly to: JobState;
  readonly at: Date;
  readonly actor: string;
  readonly reason?: string;
  readonly attempt: number;
  /** The bulk operation that asked for it: tells a resumed operation what it has done already. */
  readonly operation?: string;
}

/**
 * The latest event of the job: what the change stream carries. It holds the keys that subscribers and counters filter by, so that no
 * look-up is needed. `from` is null for the submit; it equals `to` where something else than the state changed (hold, priority).
 */
export interface StoredLastEvent {
  /**
   * One of the two is written, in turn, as the first field: a first field that changes its name makes the server log the whole object
   * instead of the differences in it, so that the stream always brings `updatedFields.last` entire.
   */
  readonly odd?: true;
  readonly even?: true;
  readonly revision: number;
  readonly from: JobState | null;
  readonly to: JobState;
  readonly at: Date;
  readonly actor: string;
  readonly reason?: string;
  readonly attempt: number;
  readonly experiment: string;
  readonly taskId?: string;
  /** Position in the task. */
  readonly taskIndex?: number;
  /** Name of the queue of the current or latest attempt. */
  readonly queue?: string;
  /** Queue before this event, where it differs: counts move from there. */
  readonly previousQueue?: string;
  /** GPUs of the current or latest attempt. */
  readonly gpu?: StoredGpuGrant;
  /** GPUs before this event, where they differ; null where there were none. */
  readonly previousGpu?: StoredGpuGrant | null;
  readonly share: string;
  readonly owner: string;
  /** `key=value`. */
  readonly labels: readonly string[];
  readonly classId: string;
  readonly priority: number;
  /** The priority before this event, where it differs. */
  readonly previousPriority?: number;
  /** When the job may be started at the earliest, in a backoff. */
  readonly notBefore?: Date;
  readonly workerId?: string;
  readonly fence: number;
}

/** A stored job. */
export interface JobDocument {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly experiment: string;
  readonly name: string;
  readonly owner: string;
  /** Who submitted it, where that is not the owner. */
  readonly submittedBy?: string;
  readonly taskId?: string;
  readonly taskIndex?: number;
  /** Path of the share leaf. */
  readonly share: string;
  readonly priority: number;
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  /**
   * What the job is looked up by beside its fields, in one multikey index: `o:<experiment>:<owner>`, `s:<share>`, `l:<experiment>:key=value` for labels, `p:<job id>` for each parent it still
   * waits for (kept by a job that was closed because of it), `b:<ISO time>` while a backoff runs and nothing holds the job.
   */
  readonly lookup: readonly string[];
  readonly requirements: StoredRequirements;
  readonly classId: string;
  readonly payload: StoredPayload;
  readonly retry: StoredRetryPolicy;
  readonly dependsOn: readonly string[];
  /** Parents that have not FINISHED yet. */
  readonly waitingFor: readonly string[];
  readonly state: JobState;
  readonly hold?: { readonly by: string; readonly reason: string; readonly at: Date };
  readonly notBefore?: Date;
  readonly attempt: number;
  readonly attempts: readonly StoredAttempt[];
  /** Unique in the whole system and growing for a job; 0 before the first grant. The right to speak about the job. */
  readonly fence: number;
  readonly workerId?: string;
  readonly queueId?: string;
  readonly queue?: string;
  readonly gpu?: StoredGpuGrant;
  readonly exitCode?: number;
  readonly error?: StoredJobError;
  readonly metrics?: StoredMetrics;
  readonly outputs: readonly StoredOutput[];
  readonly last: StoredLastEvent;
  readonly transitions: readonly StoredTransition[];
  readonly stateTimes: Readonly<Partial<Record<JobState, Date>>>;
  readonly retryOf?: string;
  /** The first job that repeats this one: in its task, that one counts instead. */
  readonly retriedBy?: string;
}
