/** Stored form of a job and its parts. `job.document.ts` has the validator and the indexes. */
import type { StoredAvoidance, StoredDecision } from './decision.types.js';
import type { JobState } from './job-state.js';
import type { SecretScope } from '../../secrets/secret.document.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';
import type { Continuity, StatedContinuity } from '../../shared/continuity.js';
import type { NoticeSignal } from '../../shared/notice.js';

/** Normalised requirements of a job: defaults filled in, lists sorted, absent conditions left out. */
export interface StoredRequirements {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly walltimeSeconds: number;
  readonly architecture?: string;
  readonly architectureLevel?: string;
  readonly containerRuntime?: string;
  readonly network: boolean;
  /** The payload receives secrets or a token: the worker needs isolation and a credential of its own. */
  readonly secrets?: true;
  /** Queue name. */
  readonly queue?: string;
  readonly selector?: string;
  readonly gpu?: StoredGpuRequirement;
  /** Times without contact that differ from the defaults of the queue; part of the class of a job. */
  readonly continuity?: StatedContinuity;
  /** Core may end its attempts to free capacity for jobs of a higher priority class. */
  readonly preemptible?: true;
  /** Conditions by which workers that fit are ordered, the most weighty first; absent for none. */
  readonly preferences?: readonly StoredPreference[];
  /**
   * Experiment whose attempts these preferences read, if they read what was measured: jobs of another
   * experiment are of another class.
   */
  readonly measuredIn?: string;
}

/** Condition that a worker should meet. */
export interface StoredPreference {
  /** CEL over attributes that all workers of a shape have in common. */
  readonly expression: string;
  readonly weight: number;
}

/** Preferences of a job that the worker of an attempt met. */
export interface PreferenceScore {
  /** Weight of the conditions that it met, divided by the weight of all: 0 to 1. */
  readonly score: number;
  /** Positions of the conditions that it met. */
  readonly met: readonly number[];
}

/** Program to run, with its inputs and outputs. */
export interface StoredPayload {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  readonly image?: string;
  readonly inputs: readonly StoredInput[];
  /** Files, folders and patterns. */
  readonly outputs: readonly string[];
  /** Datasets that outputs are added to once the job is FINISHED; absent for none. */
  readonly outputDatasets?: readonly StoredOutputDataset[];
  /** Upload whose files are in the working folder. */
  readonly uploadId?: string;
  /** Entries of `outputs` that failed attempts keep, too; absent for none. */
  readonly keepOnFailure?: readonly string[];
  /** Outputs of nodes of a workflow that the job reads; absent for none. */
  readonly nodeInputs?: StoredNodeInputs;
  readonly secrets?: readonly StoredJobSecret[];
  /** The payload receives a token that reads its job. */
  readonly token?: true;
  /** Number of newest checkpoints that are kept; absent for the default. */
  readonly keptCheckpoints?: number;
  /** Notice before the end; absent if the job asks for none. */
  readonly notice?: StoredNotice;
}

/** Dataset that an output is added to. */
export interface StoredOutputDataset {
  /** Declared name of the output. */
  readonly output: string;
  readonly datasetId: string;
  /** Reason for which the output of the finished job was not added; absent if it was, or may yet be. */
  readonly refusal?: OutputRefusal;
}

/** Reasons for which an output is not added to its dataset. */
export type OutputRefusal = 'DATASET_CLOSED' | 'DATASET_REMOVED' | 'DATASET_FULL';

/** File that a payload reads. */
export interface StoredInput {
  readonly name: string;
  readonly location: string;
  /** Other places of the file; absent for none. */
  readonly otherLocations?: readonly string[];
  /** Absent if it is not known. */
  readonly sizeBytes?: number;
  /** Absent for none. */
  readonly checksums?: readonly StoredChecksum[];
}

/** Digest of a file. */
export interface StoredChecksum {
  readonly kind: ChecksumKind;
  /** In hexadecimal. */
  readonly value: string;
}

/** Kind of a digest. */
export type ChecksumKind = 'SHA256' | 'MD5' | 'ADLER32';

/** Outputs of nodes of one workflow that a job reads. They are looked up when a worker asks for them. */
export interface StoredNodeInputs {
  readonly workflowId: string;
  /** At most 1000. */
  readonly files: readonly StoredNodeInput[];
}

/** Output of a node, or of all nodes with a label that are not final. */
export interface StoredNodeInput {
  /** Name of the node; absent with `label`. */
  readonly node?: string;
  readonly label?: string;
  /** Declared name of the output. */
  readonly output: string;
  /** Name of the file of a node, or of the folder with the files of a label. */
  readonly as: string;
  /** The job runs without the file if the node has not stored it. */
  readonly isOptional?: true;
}

/** Notice that a payload receives before its end. */
export interface StoredNotice {
  readonly seconds: number;
  readonly signal: NoticeSignal;
  /** Exit code by which the payload says that it has saved its state. */
  readonly checkpointExitCode?: number;
}

/** Ways in which a payload receives a secret. */
export const secretDeliveries = ['FILE', 'VARIABLE'] as const;

/** One of {@link secretDeliveries}. */
export type SecretDelivery = (typeof secretDeliveries)[number];

/** Secret that a payload receives. */
export interface StoredJobSecret {
  /** Id of the secret. */
  readonly id: string;
  readonly name: string;
  readonly scope: SecretScope;
  readonly as: SecretDelivery;
  /** Name of the file or the variable. */
  readonly target: string;
}

/** Families of errors. */
export type JobErrorFamily = 'PAYLOAD' | 'WORKER' | 'LIMIT' | 'DATA' | 'SYSTEM';

/** Retry policy of a job. */
export interface StoredRetryPolicy {
  readonly maxAttempts: number;
  readonly backoffSeconds: number;
  readonly backoffFactor: number;
  readonly retryOn: readonly JobErrorFamily[];
  /** Growth of the memory after an attempt that exceeded it; absent: none. */
  readonly memoryFactor?: number;
  readonly maxMemoryMiB?: number;
}

/** Error of an attempt. */
export interface StoredJobError {
  readonly family: JobErrorFamily;
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}

/** Resource use of an attempt; values that were not measured are absent. */
export interface StoredMetrics {
  readonly cpuSeconds?: number;
  readonly wallSeconds?: number;
  readonly peakMemoryMiB?: number;
  readonly readBytes?: number;
  readonly writeBytes?: number;
  readonly gpuUtilisation?: number;
  readonly gpuPeakMemoryMiB?: number;
  /** Largest use of scratch space. */
  readonly peakDiskMiB?: number;
  readonly isPartial: boolean;
}

/** Output and its location. */
export interface StoredOutput {
  /** Path in the output folder. */
  readonly name: string;
  readonly location: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** GPUs that a job was granted. */
export interface StoredGpuGrant {
  /** Model as reported by the driver. All devices of a grant have the same model. */
  readonly model: string;
  /** Number of devices or MIG slices; a share of a device counts as its fraction. */
  readonly count: number;
}

/**
 * Reason for which a failed attempt does not count, apart from its error: its host was tested by it, or was
 * excluded because of it later.
 */
export type UncountedReason = 'HOST_TEST' | 'BAD_HOST';

/** Way in which the memory limit of a payload is enforced, as in the schema. */
export type MemoryLimitMethod = 'CONTROL_GROUP_V2' | 'SAMPLES';

/** Job for which an attempt ends. */
export interface PreemptedFor {
  readonly jobId: string;
  readonly priority: number;
}

/** Announced end of an attempt for a job of a higher priority class. */
export interface StoredPreemption extends PreemptedFor {
  readonly at: Date;
}

/** Attempt to run a job on a worker. */
export interface StoredAttempt {
  readonly number: number;
  readonly id: string;
  readonly workerId: string;
  readonly queueId: string;
  /** Host of the worker, and site of the queue, when it was granted; absent in attempts of older versions. */
  readonly host?: string;
  readonly site?: string;
  readonly fence: number;
  readonly deviceIds: readonly string[];
  readonly sentAt: Date;
  readonly startedAt?: Date;
  /** Absent until the payload starts, and if the pilot did not report it. */
  readonly memoryLimit?: MemoryLimitMethod;
  readonly endedAt?: Date;
  readonly outcome?: JobState;
  readonly exitCode?: number;
  readonly signal?: string;
  readonly error?: StoredJobError;
  readonly metrics?: StoredMetrics;
  /** Absent if the retry policy of the job decided alone. */
  readonly decision?: StoredDecision;
  /** Outputs of a failed attempt; absent if it kept none. */
  readonly keptOutputs?: readonly StoredOutput[];
  /** Times without contact that apply to the attempt; absent for {@link defaultContinuity}. */
  readonly continuity?: Continuity;
  /** Set when core gave up the attempt while its payload may still run. */
  readonly unreachable?: UnreachableAttempt;
  /** Fence under which the worker held the attempt before it returned; reports no longer carry it. */
  readonly earlierFence?: number;
  /** Time for which its payload ran without use: another attempt had begun when its worker returned. */
  readonly lostSeconds?: number;
  /** Set if the attempt does not count when it fails. */
  readonly uncounted?: UncountedReason;
  /** Absent if its job has no preferences. */
  readonly preference?: PreferenceScore;
  /** Set once its end was announced. */
  readonly preemption?: StoredPreemption;
}

/**
 * End of an attempt without success, as its event carries it: it is derived from the document, and the next
 * event replaces it. Time that a superseded attempt lost later has no event: a document of its own has it.
 */
export interface StoredFailure {
  /** Family of its error; absent if the attempt has none: it was cancelled, closed or superseded. */
  readonly family?: JobErrorFamily;
  /** Code of its error, or the state in which the job ended, or {@link supersededCode}. */
  readonly code: string;
  readonly exitCode?: number;
  /** Name of the queue of the attempt. */
  readonly queue?: string;
  readonly host?: string;
  readonly site?: string;
  readonly image?: string;
  readonly cores: number;
  readonly gpus?: number;
  /** Time from its start, or from its grant if it never started, to its end. */
  readonly seconds: number;
  /** Time of its end. */
  readonly at: Date;
}

/** Place and duration of an ended attempt of a job whose preferences read what was measured. */
export interface StoredRun {
  /** Requirement class of the attempt. */
  readonly classId: string;
  /** Name of the queue of the attempt. */
  readonly queue?: string;
  readonly host?: string;
  readonly site?: string;
  /** Time for which its payload ran; absent if it did not start. */
  readonly seconds?: number;
}

/** Code of time for which the payload of a superseded attempt ran after core had given the attempt up. */
export const supersededCode = 'SUPERSEDED';

/** Facts by which an attempt is valid again when its worker returns. */
export interface UnreachableAttempt {
  /** End of the lease of the worker. */
  readonly since: Date;
  /** State of the job at that time. */
  readonly state: JobState;
  readonly queue: string;
  readonly gpu?: StoredGpuGrant;
}

/** Node of a workflow that a job runs. */
export interface StoredWorkflowPart {
  readonly id: string;
  /** Position of the node. */
  readonly node: number;
  /** Number of the run of the node. */
  readonly run: number;
}

/** Fleet that a job belongs to. */
export interface StoredFleetPart {
  readonly id: string;
  /** Version of the template of the job. */
  readonly version: number;
}

/** Entry of the bounded list of transitions. */
export interface StoredTransition {
  readonly revision: number;
  readonly from: JobState;
  readonly to: JobState;
  readonly at: Date;
  readonly actor: string;
  readonly reason?: string;
  readonly attempt: number;
  /** Operation or change of a task that made the transition; when resumed, it recognises its own changes. */
  readonly operation?: string;
}

/**
 * Latest event of the job; the change stream carries it. It contains the keys that subscribers and counters
 * filter by, so that they need no look-up. `from` is null for the submit and equals `to` if something other
 * than the state changed (hold, priority).
 */
export interface StoredLastEvent {
  /**
   * One of the two is written alternately as the first field. If the name of the first field changes, the
   * server logs the whole object instead of its differences, so the change stream always delivers a complete
   * `updatedFields.last`.
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
  readonly workflow?: StoredWorkflowPart;
  readonly fleet?: StoredFleetPart;
  /** Name of the queue of the current or latest attempt. */
  readonly queue?: string;
  /** Queue before this event, if different: counts are moved from it. */
  readonly previousQueue?: string;
  /** GPUs of the current or latest attempt. */
  readonly gpu?: StoredGpuGrant;
  /** GPUs before this event, if different; null if there were none. */
  readonly previousGpu?: StoredGpuGrant | null;
  readonly share: string;
  /** Share before this event, if different: counts are moved from it. */
  readonly previousShare?: string;
  readonly owner: string;
  /** `key=value`. */
  readonly labels: readonly string[];
  readonly classId: string;
  /** Requirement class before this event, if it changed while the job waited. */
  readonly previousClassId?: string;
  /** See {@link JobDocument.generation}. */
  readonly generation?: number;
  readonly priority: number;
  /** Priority before this event, if different. */
  readonly previousPriority?: number;
  /** Earliest start of the job during a backoff. */
  readonly notBefore?: Date;
  /** Hosts and sites that the next attempt avoids. */
  readonly avoid?: StoredAvoidance;
  readonly workerId?: string;
  readonly fence: number;
  /** Set by the end of a job that names datasets for its outputs. */
  readonly hasOutputDatasets?: true;
  /** Set by the announcement that the attempt ends for another job. */
  readonly preemption?: PreemptedFor;
  /** Attempt that this event ended without success. */
  readonly failure?: StoredFailure;
  /** Attempt that this event ended; only of jobs whose preferences read what was measured. */
  readonly run?: StoredRun;
  /** Ended attempt that is valid again by this event: its failure no longer counts. */
  readonly revoked?: StoredFailure;
}

/** Stored job. */
export interface JobDocument {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly experiment: string;
  readonly name: string;
  readonly owner: string;
  /** Submitter, if not the owner. */
  readonly submittedBy?: string;
  readonly taskId?: string;
  readonly taskIndex?: number;
  readonly workflow?: StoredWorkflowPart;
  readonly fleet?: StoredFleetPart;
  /** Path of the share leaf. */
  readonly share: string;
  readonly priority: number;
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  /**
   * Look-up keys in one multikey index: `o:<experiment>:<owner>`, `s:<share>`, `l:<experiment>:key=value` for
   * labels, `p:<job id>` for each unfinished parent (kept by a job that was closed because of it), `b:<ISO
   * time>` while a backoff runs and no worker holds the job, `d:<dataset id>` until its outputs are added to
   * the dataset, or it has ended without any.
   */
  readonly lookup: readonly string[];
  readonly requirements: StoredRequirements;
  readonly classId: string;
  /**
   * Number of changes of its requirements or share; absent if there were none. A grant is valid only for the
   * generation for which it was decided.
   */
  readonly generation?: number;
  readonly payload: StoredPayload;
  readonly retry: StoredRetryPolicy;
  readonly dependsOn: readonly string[];
  /** Parents that have not FINISHED yet. */
  readonly waitingFor: readonly string[];
  readonly state: JobState;
  readonly hold?: { readonly by: string; readonly reason: string; readonly at: Date };
  readonly notBefore?: Date;
  /** Hosts and sites that the next attempt avoids. */
  readonly avoid?: StoredAvoidance;
  readonly attempt: number;
  readonly attempts: readonly StoredAttempt[];
  /** Attempts that ended as planned, which cost none; absent if there are none. */
  readonly plannedEnds?: number;
  /** Attempts that ended through a fault of Rhizome or the site, or were tests of a host; absent for none. */
  readonly uncountedEnds?: number;
  /**
   * Fencing token: unique in the system and growing per job; 0 before the first grant. Only its holder may
   * report on the job.
   */
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
  /** First job that retries this one. In a task, that job counts instead. */
  readonly retriedBy?: string;
}

/** Live jobs, and bytes of their payloads. */
export interface LiveUsage {
  readonly jobs: number;
  readonly bytes: number;
}
