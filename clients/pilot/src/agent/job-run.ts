import type { Logger } from '@rhizome/log';
import type { DetectedDevice } from '../hardware/gpus/detected-device.js';
import { GpuUsageMeter } from '../hardware/gpus/gpu-usage.js';
import type { DeviceMonitor, HeldDevices } from '../hardware/gpus/device-monitor.js';
import { removeFolder, type AttemptFolders, type Scratch } from '../files/scratch.js';
import { OutputFolder } from '../files/output-folder.js';
import { findOutputs, stageIn, stageOut, type StoredFile } from '../files/staging.js';
import { AttemptError } from '../payload/attempt-error.js';
import { failureOf, startFailure, withDeviceFault } from '../payload/conclusion.js';
import { OutputCapture, type CaptureLimits, type LogChunk } from '../payload/output-capture.js';
import { Payload, type PayloadLimits, type PayloadResult, type PayloadServices } from '../payload/payload.js';
import type { Usage } from '../payload/usage-meter.js';
import {
  CoreRefused,
  type Assignment,
  type CoreProtocol,
  type FinishReport,
  type HeldJob,
  type Refusal,
} from '../protocol/core-protocol.js';
import { shipLog } from '../report/log-shipper.js';
import type { Reporter, ReportResult } from '../report/reporter.js';
import type { AttemptSecrets } from '../secrets/attempt-secrets.js';
import { receiveSecrets, type SecretSource } from '../secrets/receive-secrets.js';
import type { FileStore } from '../files/file-store.types.js';
import { payloadCommand, runtimeOf, type PayloadHost } from './payload-command.js';

/** Services that a job run uses. */
export interface JobRunServices extends PayloadHost {
  readonly core: CoreProtocol;
  readonly workerId: string;
  readonly reporter: Reporter;
  readonly payloads: PayloadServices;
  readonly scratch: Scratch;
  readonly store: FileStore;
  readonly captureLimits: CaptureLimits;
  /** Time between SIGTERM and SIGKILL. */
  readonly graceSeconds: number;
  readonly devices: DeviceMonitor;
  readonly log: Logger;
}

/**
 * Thrown when the job no longer belongs to this worker: its payload ends, and nothing more is reported about
 * it.
 */
class Dropped extends Error {}

/** Codes with which core rejects every further report about a job. */
const voidCodes = new Set([
  'FENCE_STALE',
  'JOB_NOT_FOUND',
  'JOB_STATE_CONFLICT',
  'WORKER_LOST',
  'WORKER_NOT_FOUND',
]);

/**
 * One attempt on this worker, from its assignment to its last report: inputs, payload, log, outputs. `done`
 * resolves once nothing of it is left on this host; it never rejects.
 */
export class JobRun {
  readonly #services: JobRunServices;
  readonly done: Promise<void>;
  readonly #dropped = new AbortController();
  #hasReportedEnd = false;
  #payload: Payload | undefined;
  readonly #devices: HeldDevices;
  #secrets: AttemptSecrets | undefined;

  constructor(
    readonly assignment: Assignment,
    services: JobRunServices,
  ) {
    this.#services = services;
    const { devices, log } = services;
    this.#devices = devices.hold(assignment.deviceIds, (reason) => log.warn({ reason }, 'job device failed'));
    this.done = this.#run();
  }

  /** The job and its fence, for heartbeats. */
  get held(): HeldJob {
    return { jobId: this.assignment.jobId, fence: this.assignment.fence };
  }

  /** True while this worker may still report about the job. */
  get isHeld(): boolean {
    return !this.#hasReportedEnd && !this.isDropped;
  }

  /** True once the job was taken from this worker. */
  get isDropped(): boolean {
    return this.#dropped.signal.aborted;
  }

  /** Ends the payload, with SIGTERM and then SIGKILL, and reports nothing more about the job. */
  drop(reason: string, graceSeconds = this.#services.graceSeconds): void {
    if (!this.isHeld) return;
    this.#services.log.info({ reason }, 'job dropped');
    this.#dropped.abort(new Dropped(reason));
    this.#payload?.terminate(graceSeconds);
  }

  /** Drops the job after a refusal that says that it is no longer this worker's. */
  #dropIfVoid({ code, message }: Refusal): void {
    if (voidCodes.has(code)) this.drop(`${code}: ${message}`);
  }

  async #run(): Promise<void> {
    const { scratch, log } = this.#services;
    let folders: AttemptFolders | undefined;
    let outputs: OutputFolder | undefined;
    try {
      folders = await scratch.makeFolders(this.assignment.attemptId);
      outputs = await OutputFolder.open(folders.outputs);
      await this.#runIn(folders, outputs);
    } catch (error) {
      await this.#onFailure(error);
    } finally {
      await outputs?.close();
      await this.#secrets
        ?.remove()
        .catch((error: unknown) => log.error({ err: error }, 'secrets not removed'));
      this.#devices.release();
      if (folders !== undefined) {
        for (const folder of [folders.root, folders.private])
          await removeFolder(folder).catch((error: unknown) =>
            log.warn({ err: error, folder }, 'folder not removed'),
          );
      }
    }
  }

  async #runIn(folders: AttemptFolders, outputs: OutputFolder): Promise<void> {
    const { log } = this.#services;
    await this.#prepare(folders);
    await this.#report(() =>
      this.#services.reporter.start({ ...this.held, phase: 'RUNNING' }, this.#dropped.signal),
    );
    const limits = this.#limits();
    const payload = await this.#startPayload(folders, limits);
    log.info({ processId: payload.pid }, 'payload started');
    const capture = new OutputCapture(
      { STDOUT: payload.stdout, STDERR: payload.stderr },
      this.#services.captureLimits,
      () => new Date(),
      this.#secrets?.masked,
    );
    const shipping = this.#ship(capture);
    const result = await this.#resultOf(payload);
    const { exitCode, signal, exceeded, survivors } = result;
    log.info({ exitCode, signal, exceeded, cpuSeconds: result.usage.cpuSeconds }, 'payload ended');
    if (survivors > 0) log.error({ survivors }, 'payload processes survived SIGKILL');
    await shipping;
    this.#dropped.signal.throwIfAborted();
    const failure = await this.#attributeToDevice(failureOf(result, limits));
    if (failure !== undefined) await this.#fail(failure, exitCode, signal, result.usage);
    else await this.#finish(outputs, exitCode ?? 0, result.usage);
  }

  /** Fetches the inputs; reports STARTING first if there are any. */
  async #prepare(folders: AttemptFolders): Promise<void> {
    const { payload, parents } = this.assignment;
    // An image that no runtime here can run is reported before anything is fetched for it.
    if (payload.image !== null) runtimeOf(this.assignment, payload.image, this.#services.isolation);
    const plan = { inputs: payload.inputs, parents };
    if (payload.inputs.length > 0 || parents.some(({ outputs }) => outputs.length > 0)) {
      await this.#report(() =>
        this.#services.reporter.start({ ...this.held, phase: 'STARTING' }, this.#dropped.signal),
      );
    }
    await stageIn(plan, folders, this.#services.store, this.#dropped.signal);
    // Last, so that secrets are here no longer than needed.
    if (payload.secretIds.length > 0 || payload.isTokenRequired)
      this.#secrets = await this.#receiveSecrets(folders);
  }

  /** Receives the secrets and the token of the attempt. @throws Dropped, AttemptError */
  async #receiveSecrets(folders: AttemptFolders): Promise<AttemptSecrets> {
    const { core, workerId, isolation, log } = this.#services;
    const { image, secretIds, isTokenRequired } = this.assignment.payload;
    const { signal } = this.#dropped;
    const isIsolated = image === null ? isolation.hasSandbox : isolation.containers.runtimes.length > 0;
    if (!isIsolated)
      throw new AttemptError('WORKER', 'ISOLATION_MISSING', 'Payloads with secrets need isolation.', true);
    const source: SecretSource = {
      secretIds,
      isTokenRequired,
      redeem: (ids, until) => core.redeemSecrets(workerId, this.held, ids, until),
      token: (until) => core.attemptToken(this.held, until),
    };
    return receiveSecrets(source, folders, signal, log).catch((error: unknown) => {
      if (!(error instanceof CoreRefused)) throw error;
      this.#dropIfVoid(error);
      signal.throwIfAborted();
      throw new AttemptError('DATA', 'SECRET_UNAVAILABLE', error.message, false);
    });
  }

  /** The result of the payload, with the usage of its devices. */
  async #resultOf(payload: Payload): Promise<PayloadResult> {
    const { deviceIds } = this.assignment;
    if (deviceIds.length === 0) return payload.result;
    const meter = new GpuUsageMeter(deviceIds);
    let isFirst = true;
    const stopSampling = this.#services.devices.sample((devices) => {
      meter.observe(devices, isFirst);
      isFirst = false;
    });
    const result = await payload.result;
    stopSampling();
    const { utilisation, peakMemoryMiB } = meter.usage;
    return {
      ...result,
      usage: { ...result.usage, gpuUtilisation: utilisation, gpuPeakMemoryMiB: peakMemoryMiB },
    };
  }

  /**
   * A payload may have failed because a device did, so the device is probed before another job gets it. A
   * device that failed for a moment and is healthy again, such as one whose tool hung, is not blamed.
   */
  async #attributeToDevice(failure: AttemptError | undefined): Promise<AttemptError | undefined> {
    if (failure === undefined || this.assignment.deviceIds.length === 0) return failure;
    await this.#services.devices.probeAgain();
    return withDeviceFault(failure, this.#devices.fault);
  }

  /**
   * The devices that the job was given.
   * @throws AttemptError if this host does not have one of them, or one is unhealthy
   */
  #givenDevices(): readonly DetectedDevice[] {
    const { fault } = this.#devices;
    if (fault !== undefined) throw new AttemptError('WORKER', 'DEVICE_FAULT', fault, true);
    return this.assignment.deviceIds.map((id) => {
      const device = this.#services.devices.devices.find((one) => one.id === id);
      if (device !== undefined) return device;
      throw new AttemptError('WORKER', 'DEVICE_MISSING', `Device "${id}" not found on this host.`, true);
    });
  }

  async #startPayload(folders: AttemptFolders, limits: PayloadLimits): Promise<Payload> {
    const { attemptId } = this.assignment;
    const { command } = this.assignment.payload;
    const start = async (): Promise<Payload> => {
      const parts = { folders, devices: this.#givenDevices(), secrets: this.#secrets };
      const spec = await payloadCommand(this.assignment, this.#services, parts);
      return Payload.start(attemptId, { ...spec, scratch: folders.root }, limits, this.#services.payloads);
    };
    this.#payload = await start().catch((error: unknown) => {
      throw error instanceof AttemptError ? error : startFailure(command, error);
    });
    // Dropped while the payload was starting: until now there was nothing to terminate.
    if (this.isDropped) this.#payload.terminate();
    return this.#payload;
  }

  #limits(): PayloadLimits {
    const { walltimeSeconds, memoryMiB, diskMiB } = this.assignment.requirements;
    return { walltimeSeconds, memoryMiB, diskMiB, graceSeconds: this.#services.graceSeconds };
  }

  /** Ships the log; never rejects. If core answers that the job is no longer ours, it is dropped at once. */
  async #ship(capture: OutputCapture): Promise<void> {
    const { core, workerId, log } = this.#services;
    const { signal } = this.#dropped;
    const append = async (chunks: readonly LogChunk[]): Promise<void> => {
      await core.appendJobLog(workerId, this.held, chunks, signal).catch((error: unknown) => {
        if (error instanceof CoreRefused) this.#dropIfVoid(error);
        throw error;
      });
    };
    try {
      await shipLog(capture, append, signal, log);
    } catch (error) {
      if (!this.isDropped) log.error({ err: error }, 'job log not shipped');
    }
  }

  async #finish(folder: OutputFolder, exitCode: number, usage: Usage): Promise<void> {
    const { payload, jobId, attemptId } = this.assignment;
    const { signal } = this.#dropped;
    const report = (phase: FinishReport['phase'], outputs: readonly StoredFile[] = []): FinishReport => ({
      ...this.held,
      phase,
      exitCode,
      usage,
      outputs,
    });
    let stored: readonly StoredFile[] = [];
    try {
      if (payload.outputs.length > 0) {
        await this.#reportFinish(report('HOLDING'));
        const found = await findOutputs(payload.outputs, folder, signal);
        await this.#reportFinish(report('TRANSFERRING'));
        stored = await stageOut(found, folder, { jobId, attemptId }, this.#services.store, signal);
      }
      await this.#reportFinish(report('FINISHED', stored));
      this.#hasReportedEnd = true;
    } catch (error) {
      if (!(error instanceof AttemptError)) throw error;
      await this.#fail(error, exitCode, null, usage);
    }
  }

  async #reportFinish(report: FinishReport): Promise<void> {
    await this.#report(() => this.#services.reporter.finish(report, this.#dropped.signal));
  }

  async #fail(
    error: AttemptError,
    exitCode: number | null,
    signal: string | null,
    usage: Usage | null,
  ): Promise<void> {
    const { family, code, message, retryable } = error;
    this.#services.log.info({ family, code, reason: message }, 'attempt failed');
    const report = {
      ...this.held,
      exitCode,
      signal,
      error: { family, code, message: message.slice(0, 2000), retryable },
      usage,
    };
    await this.#report(() => this.#services.reporter.fail(report, this.#dropped.signal));
    this.#hasReportedEnd = true;
  }

  /**
   * Sends a report about the job. A report that core calls outdated drops the job; one that it calls invalid
   * fails the attempt.
   * @throws Dropped, AttemptError
   */
  async #report(word: () => Promise<ReportResult>): Promise<void> {
    const result = await word().catch((error: unknown): ReportResult => {
      if (error instanceof CoreRefused)
        return { accepted: false, refusal: { code: error.code, message: error.message } };
      throw error;
    });
    if (result.accepted) return;
    const { code, message } = result.refusal;
    this.#dropIfVoid(result.refusal);
    this.#dropped.signal.throwIfAborted();
    throw new AttemptError(
      'SYSTEM',
      'REPORT_REFUSED',
      `Core refused a report with ${code}: ${message}`,
      true,
    );
  }

  /** Handles an error outside of the payload itself. */
  async #onFailure(error: unknown): Promise<void> {
    if (this.isDropped) return;
    const { log } = this.#services;
    const known = error instanceof AttemptError;
    if (!known) log.error({ err: error }, 'pilot failed');
    const failure = known
      ? error
      : new AttemptError('WORKER', 'PILOT_FAULT', `Internal error of the pilot: ${String(error)}`, true);
    await this.#fail(failure, null, null, null).catch((fault: unknown) => {
      if (!this.isDropped) log.error({ err: fault }, 'attempt failure not reported');
    });
  }
}
