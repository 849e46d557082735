import type { FileAddress, FilesToSign } from '../files/signed-files.types.js';
import type { Checkpoint, Progress } from '../checkpoints/checkpoint.types.js';
import type { InputFile, NodeFile, ParentOutputs, StoredFile } from '../files/stored-file.types.js';
import type { ReportedDevice } from '../hardware/gpus/detected-device.js';
import type { IsolationFacts } from '../isolation/payload-isolation.js';
import type { HostFacts } from '../hardware/host-facts.js';
import type { ErrorFamily } from '../payload/attempt-error.js';
import type { LogChunk } from '../payload/output-capture.js';
import type { AttemptToken } from '../secrets/attempt-token.js';
import type { DeliveredSecret } from '../secrets/delivered-secret.js';
import type { Usage } from '../payload/usage-meter.js';
import type { UnitCalls } from './unit-calls.js';

/** Resources that jobs request. */
export interface Capacity {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
}

/** Method that holds the processes of a payload; the names of the API. */
export type ProcessContainment = 'CONTROL_GROUPS' | 'NAMESPACES' | 'PROCESS_MARKS';

/** Facts about a host, and about the isolation and the containment of payloads on it. */
export interface WorkerFacts extends HostFacts, IsolationFacts {
  /** The strongest first. */
  readonly containment: readonly ProcessContainment[];
}

/** Registration of a worker. */
export interface Registration {
  readonly queue: string;
  readonly name: string;
  readonly facts: WorkerFacts;
  readonly devices: readonly ReportedDevice[];
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  /** Time at which it must end; null for no limit. */
  readonly endsAt: Date | null;
  /** Batch job that runs this pilot, by the id of the batch system. */
  readonly batchJobId: string | null;
  readonly version: string;
  /** Jobs of an earlier worker of the same name that this pilot still holds. */
  readonly jobs: readonly HeldJob[];
  readonly idempotencyKey: string;
}

/** The current devices of a worker, all of them. */
export interface DeviceReport {
  readonly devices: readonly ReportedDevice[];
  /** Only their utilisation or memory in use has changed. */
  readonly isUseOnly: boolean;
}

/** A registered worker. */
export interface RegisteredWorker {
  readonly workerId: string;
  readonly heartbeatSeconds: number;
  /** After this time without a heartbeat, core takes it to be out of reach. */
  readonly leaseSeconds: number;
  /** Longest time between the notice that a payload receives and its end. */
  readonly maxNoticeSeconds: number;
  /** Longest time for which output of a payload is collected before it is sent. */
  readonly logIntervalMs: number;
  /** A command for each job that the registration named and that was given away. */
  readonly commands: readonly Command[];
}

/** Notice that a job asks for. */
export interface AssignedNotice {
  readonly seconds: number;
  /** Name of the signal, or NONE. */
  readonly signal: string;
  /** Exit code by which the payload says that it has saved its state. */
  readonly checkpointExitCode: number | null;
}

/** A job assigned to this worker. Its fence makes every report void once the job was taken away. */
export interface Assignment {
  readonly jobId: string;
  readonly fence: number;
  /** From 1. */
  readonly attempt: number;
  readonly attemptId: string;
  readonly name: string;
  readonly requirements: Capacity & {
    readonly walltimeSeconds: number;
    /** For the image, if there is one: a name, `any`, or null if the job does not say. */
    readonly containerRuntime: string | null;
    /** True if it needs the outside network. */
    readonly isNetworkRequired: boolean;
  };
  /** Time for which the payload runs on while core is silent; 0 to stop it with the lease. */
  readonly continueSeconds: number;
  /** The devices that it may use, by id. */
  readonly deviceIds: readonly string[];
  /** True if other jobs may use its devices at the same time. */
  readonly sharesDevices: boolean;
  readonly payload: {
    readonly command: string;
    readonly arguments: readonly string[];
    readonly environment: readonly { readonly name: string; readonly value: string }[];
    readonly image: string | null;
    readonly inputs: readonly InputFile[];
    /** Files, folders and patterns. */
    readonly outputs: readonly string[];
    /** Upload whose files it needs; null, or absent in records of earlier versions, for none. */
    readonly uploadId?: string | null;
    /** Entries that are stored if the attempt fails, too; absent in records of earlier versions. */
    readonly keepOnFailure?: readonly string[];
    /** True if it reads files of other nodes; absent in records of earlier versions. */
    readonly readsNodes?: boolean;
    /** Secrets that the payload receives, by id. */
    readonly secretIds: readonly string[];
    /** True if the payload receives a token that reads its job. */
    readonly isTokenRequired: boolean;
    /** Notice before its end; null, or absent in records of earlier versions, for none. */
    readonly notice?: AssignedNotice | null;
    /** Number of newest checkpoints to keep. */
    readonly keptCheckpoints: number;
  };
  /** Checkpoints of earlier attempts, newest first. */
  readonly checkpoints: readonly Checkpoint[];
  /** The jobs it waited for, with their outputs. */
  readonly parents: readonly ParentOutputs[];
}

/** Kind of a command. */
export type CommandKind = 'KILL' | 'DROP' | 'PREEMPT' | 'ADOPT' | 'DRAIN' | 'WORK';

/** A command to this worker. */
export interface Command {
  readonly kind: CommandKind;
  readonly jobId: string | null;
  readonly fence: number | null;
  /** With ADOPT: replaces the fence in all further reports. */
  readonly newFence: number | null;
  readonly reason: string | null;
}

/** A job and the fence of its assignment. */
export interface HeldJob {
  readonly jobId: string;
  readonly fence: number;
}

/** Request for work. */
export interface AcquireRequest {
  readonly workerId: string;
  readonly count: number;
  readonly free: Capacity;
  /** Devices that no job has exclusively, by id. */
  readonly freeDeviceIds: readonly string[];
  /** Null for no limit. */
  readonly remainingSeconds: number | null;
  /** Time that core may wait for the first job. */
  readonly waitSeconds: number;
}

/** Way in which the memory limit of a payload is enforced. */
export type MemoryLimitMethod = 'CONTROL_GROUP_V2' | 'SAMPLES';

/** A payload starts. */
export interface StartReport extends HeldJob {
  readonly phase: 'STARTING' | 'RUNNING';
  /** Way in which the memory limit is enforced; absent while the payload is prepared. */
  readonly memoryLimit?: MemoryLimitMethod;
}

/** Progress of a job. */
export interface ProgressReport extends HeldJob, Progress {}

/** All checkpoints of a job that are kept, newest first. */
export interface CheckpointReport extends HeldJob {
  readonly checkpoints: readonly Checkpoint[];
}

/** A payload ended well. */
export interface FinishReport extends HeldJob {
  readonly phase: 'HOLDING' | 'TRANSFERRING' | 'FINISHED';
  readonly exitCode: number;
  readonly usage: Usage;
  readonly outputs: readonly StoredFile[];
}

/** An attempt failed. */
export interface FailReport extends HeldJob {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly error: {
    readonly family: ErrorFamily;
    readonly code: string;
    readonly message: string;
    readonly retryable: boolean;
  };
  readonly usage: Usage | null;
  /** Outputs that are kept; absent for none. */
  readonly outputs?: readonly StoredFile[];
}

/** The error of a refused report: `code` is one of the API's. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** Results of a batch of reports: those missing here were accepted. */
export interface ReportAnswer {
  readonly refused: ReadonlyMap<string, Refusal>;
}

/** Core refused the call: repeating it is useless. */
export class CoreRefused extends Error {
  constructor(
    readonly code: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'CoreRefused';
  }
}

/** Core could not be reached, or cannot answer now: the call may be repeated, and may have taken effect. */
export class CoreUnavailable extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'CoreUnavailable';
  }
}

/**
 * The pilot's view of core. Every call may be repeated with the same input: fences, sequence numbers and
 * idempotency keys make that harmless. No call repeats for long by itself; the caller decides how long that
 * makes sense. Each throws CoreRefused or CoreUnavailable, or the signal's reason.
 */
export interface CoreProtocol {
  registerWorker(registration: Registration, signal: AbortSignal): Promise<RegisteredWorker>;
  /**
   * Sends a heartbeat with the jobs that the worker holds, their progress since the last one, and changes of
   * its devices (null: none). Returns the commands for the worker.
   */
  heartbeat(
    workerId: string,
    jobs: readonly HeldJob[],
    report: DeviceReport | null,
    progress: readonly ProgressReport[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<readonly Command[]>;
  acquireJobs(request: AcquireRequest, signal: AbortSignal): Promise<readonly Assignment[]>;
  startJobs(workerId: string, reports: readonly StartReport[], signal: AbortSignal): Promise<ReportAnswer>;
  finishJobs(workerId: string, reports: readonly FinishReport[], signal: AbortSignal): Promise<ReportAnswer>;
  failJobs(workerId: string, reports: readonly FailReport[], signal: AbortSignal): Promise<ReportAnswer>;
  reportCheckpoints(
    workerId: string,
    reports: readonly CheckpointReport[],
    signal: AbortSignal,
  ): Promise<ReportAnswer>;
  appendJobLog(
    workerId: string,
    job: HeldJob,
    chunks: readonly LogChunk[],
    signal: AbortSignal,
  ): Promise<void>;
  /** Returns the secrets of an attempt that this worker holds. */
  redeemSecrets(
    workerId: string,
    job: HeldJob,
    secretIds: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly DeliveredSecret[]>;
  /** Returns addresses of files of an attempt that this worker holds, those to read first. */
  signJobFiles(
    workerId: string,
    job: HeldJob,
    files: FilesToSign,
    signal: AbortSignal,
  ): Promise<readonly FileAddress[]>;
  /** Returns the files that a job reads from other nodes of its workflow. */
  nodeFiles(job: HeldJob, signal: AbortSignal): Promise<readonly NodeFile[]>;
  /** Returns a token for the payload of an attempt that this worker holds. */
  attemptToken(job: HeldJob, signal: AbortSignal): Promise<AttemptToken>;
  /** Calls about work units by the attempt that has the token, never by this worker. */
  unitCalls(token: () => string): UnitCalls;
  /** `hasEnded`: the worker holds no job any more; jobs that core still assigns to it go to others. */
  drainWorker(workerId: string, reason: string, hasEnded: boolean, signal: AbortSignal): Promise<void>;
  /** Commands as they are issued, until the signal; ends or throws when the connection is lost for good. */
  workerCommands(workerId: string, signal: AbortSignal): AsyncIterable<readonly Command[]>;
  close(): Promise<void>;
}
