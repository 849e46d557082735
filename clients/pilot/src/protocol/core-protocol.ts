import type { InputFile, ParentOutputs, StoredFile } from '../files/staging.js';
import type { ReportedDevice } from '../hardware/gpus/detected-device.js';
import type { HostFacts } from '../hardware/host-facts.js';
import type { ErrorFamily } from '../payload/attempt-error.js';
import type { LogChunk } from '../payload/output-capture.js';
import type { Usage } from '../payload/usage-meter.js';

/** An amount of what jobs ask for. */
export interface Capacity {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
}

/** A worker that comes up. */
export interface Registration {
  readonly queue: string;
  readonly name: string;
  readonly facts: HostFacts;
  readonly devices: readonly ReportedDevice[];
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  /** When it must end; null for no limit. */
  readonly endsAt: Date | null;
  readonly version: string;
  readonly idempotencyKey: string;
}

/** What a worker says anew of its devices: of all of them. */
export interface DeviceReport {
  readonly devices: readonly ReportedDevice[];
  /** Nothing but their use has changed. */
  readonly isUseOnly: boolean;
}

/** A worker that core knows. */
export interface RegisteredWorker {
  readonly workerId: string;
  readonly heartbeatSeconds: number;
  /** After this silence its jobs go to others. */
  readonly leaseSeconds: number;
}

/** A job given to this worker. The fence makes every word about it void once it was taken away. */
export interface Assignment {
  readonly jobId: string;
  readonly fence: number;
  /** From 1. */
  readonly attempt: number;
  readonly attemptId: string;
  readonly name: string;
  readonly requirements: Capacity & {
    readonly walltimeSeconds: number;
    /** For the image, where there is one: a name, `any`, or null where the job does not say. */
    readonly containerRuntime: string | null;
  };
  /** The devices that it may use, by id. */
  readonly deviceIds: readonly string[];
  /** Whether other jobs may use its devices at the same time. */
  readonly sharesDevices: boolean;
  readonly payload: {
    readonly command: string;
    readonly arguments: readonly string[];
    readonly environment: readonly { readonly name: string; readonly value: string }[];
    readonly image: string | null;
    readonly inputs: readonly InputFile[];
    readonly outputs: readonly string[];
  };
  /** The jobs it waited for, with what they left. */
  readonly parents: readonly ParentOutputs[];
}

/** What an order is about. */
export type CommandKind = 'KILL' | 'DROP' | 'DRAIN' | 'WORK';

/** An order to this worker. */
export interface Command {
  readonly kind: CommandKind;
  readonly jobId: string | null;
  readonly fence: number | null;
  readonly reason: string | null;
}

/** A job and the fence of its assignment. */
export interface HeldJob {
  readonly jobId: string;
  readonly fence: number;
}

/** A worker that asks for work. */
export interface AcquireRequest {
  readonly workerId: string;
  readonly count: number;
  readonly free: Capacity;
  /** Devices that no job has alone, by id. */
  readonly freeDeviceIds: readonly string[];
  /** Null for no limit. */
  readonly remainingSeconds: number | null;
  /** How long core may wait for the first job. */
  readonly waitSeconds: number;
}

/** A payload starts. */
export interface StartReport extends HeldJob {
  readonly phase: 'STARTING' | 'RUNNING';
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
}

/** Why core did not take a word: `code` is one of the API. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** What became of a batch of reports: those that are missing here were accepted. */
export interface ReportAnswer {
  readonly refused: ReadonlyMap<string, Refusal>;
}

/** Core's answer was no: repeating the call is of no use. */
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

/** Core could not be reached, or said that it cannot answer now: the call may be repeated, its effect may have happened. */
export class CoreUnavailable extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'CoreUnavailable';
  }
}

/**
 * What a pilot says to core and hears from it. Every call may be repeated with the same input: fences, sequence numbers and
 * idempotency keys make that harmless. None repeats for long by itself: that is for who knows how long it makes sense.
 * Each throws CoreRefused or CoreUnavailable, or the signal's reason.
 */
export interface CoreProtocol {
  registerWorker(registration: Registration, signal: AbortSignal): Promise<RegisteredWorker>;
  /** Says that the worker lives, which jobs it holds, and what is new about its devices (null: nothing); gives what it must do. */
  heartbeat(
    workerId: string,
    jobs: readonly HeldJob[],
    report: DeviceReport | null,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<readonly Command[]>;
  acquireJobs(request: AcquireRequest, signal: AbortSignal): Promise<readonly Assignment[]>;
  startJobs(workerId: string, reports: readonly StartReport[]): Promise<ReportAnswer>;
  finishJobs(workerId: string, reports: readonly FinishReport[]): Promise<ReportAnswer>;
  failJobs(workerId: string, reports: readonly FailReport[]): Promise<ReportAnswer>;
  appendJobLog(
    workerId: string,
    job: HeldJob,
    chunks: readonly LogChunk[],
    signal: AbortSignal,
  ): Promise<void>;
  /** `hasEnded`: the worker holds no job any more; what core thinks it holds goes to others. */
  drainWorker(workerId: string, reason: string, hasEnded: boolean, signal: AbortSignal): Promise<void>;
  /** Orders as they are given, until the signal; ends or throws when the connection is lost for good. */
  workerCommands(workerId: string, signal: AbortSignal): AsyncIterable<readonly Command[]>;
  close(): Promise<void>;
}
