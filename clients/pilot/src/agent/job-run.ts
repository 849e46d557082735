import type { Logger } from '@rhizome/log';
import type { DeviceMonitor } from '../hardware/gpus/device-monitor.js';
import { removeFolder, type AttemptFolders, type Scratch } from '../files/scratch.js';
import { OutputFolder } from '../files/output-folder.js';
import { findOutputs, stageIn, stageOut, type StoredFile } from '../files/staging.js';
import { AttemptError } from '../payload/attempt-error.js';
import { failureOf, startFailure } from '../payload/conclusion.js';
import { OutputCapture, type CaptureLimits } from '../payload/output-capture.js';
import { Payload, type PayloadLimits, type PayloadServices } from '../payload/payload.js';
import type { Usage } from '../payload/usage-meter.js';
import {
  CoreRefused,
  type Assignment,
  type CoreProtocol,
  type FinishReport,
  type HeldJob,
  type Refusal,
  type StartReport,
} from '../protocol/core-protocol.js';
import type { Contact } from '../report/contact.js';
import { JobReports } from '../report/job-reports.js';
import { shipLog } from '../report/log-shipper.js';
import type { ReportResult } from '../report/reporter.js';
import { isVoid } from '../report/void-codes.js';
import type { AttemptSecrets } from '../secrets/attempt-secrets.js';
import { receiveSecrets, type SecretSource } from '../secrets/receive-secrets.js';
import type { Spool } from '../spool/spool.js';
import type { JobRecord } from '../spool/spool.types.js';
import type { FileStore } from '../files/file-store.types.js';
import type { HeldRun } from './held-jobs.js';
import { JobDevices } from './job-devices.js';
import { payloadCommand, runtimeOf, type PayloadHost } from './payload-command.js';

/** Services that a job run uses. */
export interface JobRunServices extends PayloadHost {
  readonly core: CoreProtocol;
  readonly contact: Contact;
  readonly spool: Spool;
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

/** Time between two tries of a transfer while there is no contact. */
const transferPauseMs = 5000;

/**
 * One attempt on this host, from its assignment to its last report: inputs, payload, log, outputs. `done`
 * resolves once nothing of it is left on this host; it never rejects.
 */
export class JobRun implements HeldRun {
  readonly #services: JobRunServices;
  readonly done: Promise<void>;
  readonly #dropped = new AbortController();
  /** Aborted when core was silent for too long, with the error of the attempt as its reason. */
  readonly #timedOut = new AbortController();
  readonly #stopped = AbortSignal.any([this.#dropped.signal, this.#timedOut.signal]);
  readonly #reports: JobReports;
  #hasReportedEnd = false;
  #hasPayloadEnded = false;
  #payload: Payload | undefined;
  readonly #devices: JobDevices;
  #secrets: AttemptSecrets | undefined;

  constructor(
    readonly assignment: Assignment,
    services: JobRunServices,
  ) {
    this.#services = services;
    const { devices, log, spool } = services;
    const { jobId, fence, attemptId } = assignment;
    const state = { jobId, fence, attemptId, nextSequence: 0 };
    this.#reports = new JobReports(state, spool.attempt(attemptId), services);
    this.#devices = new JobDevices(assignment.deviceIds, devices, (reason) =>
      log.warn({ reason }, 'job device failed'),
    );
    this.done = this.#run();
  }

  /** The job and its fence, for heartbeats. */
  get held(): HeldJob {
    return this.#reports.held;
  }

  get continueSeconds(): number {
    return this.assignment.continueSeconds;
  }

  /** True while this pilot may still report about the job. */
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
    const dropped = new Dropped(reason);
    this.#dropped.abort(dropped);
    this.#reports.discard(dropped);
    this.#payload?.terminate(graceSeconds);
  }

  /** Nobody else gets the job if core itself was away, so its end is reported. */
  endInSilence(reason: string): void {
    if (!this.isHeld || this.#hasPayloadEnded) return;
    this.#services.log.warn({ reason }, 'payload stopped');
    this.#timedOut.abort(new AttemptError('WORKER', 'CONTACT_LOST', reason, true));
    this.#payload?.terminate();
  }

  abandon(reason: string): void {
    if (!this.isHeld) return;
    if (!this.#reports.isEndSpooled) return this.drop(reason, 1);
    const dropped = new Dropped(reason);
    this.#dropped.abort(dropped);
    this.#reports.leave(dropped);
  }

  adopt(fence: number): void {
    this.#services.log.info({ fence }, 'job kept with another fence');
    this.#reports.adopt(fence);
  }

  /** Drops the job after a refusal that says that it is no longer this worker's. */
  #dropIfVoid(refusal: Refusal): void {
    if (isVoid(refusal)) this.drop(`${refusal.code}: ${refusal.message}`);
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
      await this.#reports.close();
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
    await this.#reportStart('RUNNING');
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
    const result = await this.#devices.resultOf(payload.result);
    this.#hasPayloadEnded = true;
    const { exitCode, signal, exceeded, survivors } = result;
    log.info({ exitCode, signal, exceeded, cpuSeconds: result.usage.cpuSeconds }, 'payload ended');
    if (survivors > 0) log.error({ survivors }, 'payload processes survived SIGKILL');
    await shipping;
    this.#dropped.signal.throwIfAborted();
    const timedOut = this.#timedOut.signal.reason as AttemptError | undefined;
    const failure = timedOut ?? (await this.#devices.attribute(failureOf(result, limits)));
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
      await this.#reportStart('STARTING');
    }
    await this.#repeatInSilence(async () => stageIn(plan, folders, this.#services.store, this.#stopped));
    // Last, so that secrets are here no longer than needed.
    if (payload.secretIds.length > 0 || payload.isTokenRequired)
      this.#secrets = await this.#receiveSecrets(folders);
  }

  /** Receives the secrets and the token of the attempt. @throws Dropped, AttemptError */
  async #receiveSecrets(folders: AttemptFolders): Promise<AttemptSecrets> {
    const { core, isolation, log } = this.#services;
    const { image, secretIds, isTokenRequired } = this.assignment.payload;
    const signal = this.#stopped;
    const isIsolated = image === null ? isolation.hasSandbox : isolation.containers.runtimes.length > 0;
    if (!isIsolated)
      throw new AttemptError('WORKER', 'ISOLATION_MISSING', 'Payloads with secrets need isolation.', true);
    const source: SecretSource = {
      secretIds,
      isTokenRequired,
      redeem: (ids, end) =>
        this.#reports.call(
          ({ workerId, signal: until }) => core.redeemSecrets(workerId, this.held, ids, until),
          end,
        ),
      token: (end) => this.#reports.call(({ signal: until }) => core.attemptToken(this.held, until), end),
    };
    return receiveSecrets(source, folders, signal, log).catch((error: unknown) => {
      if (!(error instanceof CoreRefused)) throw error;
      this.#dropIfVoid(error);
      signal.throwIfAborted();
      throw new AttemptError('DATA', 'SECRET_UNAVAILABLE', error.message, false);
    });
  }

  async #startPayload(folders: AttemptFolders, limits: PayloadLimits): Promise<Payload> {
    const { attemptId } = this.assignment;
    const { command } = this.assignment.payload;
    const start = async (): Promise<Payload> => {
      const parts = { folders, devices: this.#devices.given(), secrets: this.#secrets };
      const spec = await payloadCommand(this.assignment, this.#services, parts);
      return Payload.start(attemptId, { ...spec, scratch: folders.root }, limits, this.#services.payloads);
    };
    this.#payload = await start().catch((error: unknown) => {
      throw error instanceof AttemptError ? error : startFailure(command, error);
    });
    // Stopped while the payload was starting: until now there was nothing to terminate.
    if (this.#stopped.aborted) this.#payload.terminate();
    return this.#payload;
  }

  #limits(): PayloadLimits {
    const { walltimeSeconds, memoryMiB, diskMiB } = this.assignment.requirements;
    return { walltimeSeconds, memoryMiB, diskMiB, graceSeconds: this.#services.graceSeconds };
  }

  /** Ships the log; never rejects. */
  async #ship(capture: OutputCapture): Promise<void> {
    const { contact, log } = this.#services;
    this.#reports.listen({
      onRefused: (refusal) => this.#dropIfVoid(refusal),
      onLogRefused: () => capture.discard(),
    });
    try {
      await shipLog(
        capture,
        async (chunks) => this.#reports.appendLog(chunks),
        contact,
        this.#dropped.signal,
      );
    } catch (error) {
      if (!this.isDropped) log.error({ err: error }, 'job log not shipped');
    }
  }

  async #finish(folder: OutputFolder, exitCode: number, usage: Usage): Promise<void> {
    const { payload, jobId, attemptId } = this.assignment;
    const { signal } = this.#dropped;
    const report = (phase: FinishReport['phase'], outputs: readonly StoredFile[] = []): JobRecord => ({
      kind: 'FINISH',
      report: { phase, exitCode, usage, outputs },
    });
    let stored: readonly StoredFile[] = [];
    try {
      if (payload.outputs.length > 0) {
        await this.#report(this.#reports.submit(report('HOLDING')));
        const found = await findOutputs(payload.outputs, folder, signal);
        await this.#report(this.#reports.submit(report('TRANSFERRING')));
        stored = await this.#repeatInSilence(async () =>
          stageOut(found, folder, { jobId, attemptId }, this.#services.store, signal),
        );
      }
      await this.#report(this.#reports.deliver(report('FINISHED', stored)));
      this.#hasReportedEnd = true;
    } catch (error) {
      if (!(error instanceof AttemptError)) throw error;
      await this.#fail(error, exitCode, null, usage);
    }
  }

  /**
   * A transfer that fails while core is out of reach may fail for the same reason, so it is repeated until it
   * succeeds or contact is back.
   */
  async #repeatInSilence<T>(transfer: () => Promise<T>): Promise<T> {
    const { contact, log } = this.#services;
    for (;;) {
      const hadContact = contact.isOpen;
      try {
        return await transfer();
      } catch (error) {
        const isFinal = hadContact && contact.isOpen;
        if (isFinal || this.#stopped.aborted || !(error instanceof AttemptError)) throw error;
        log.warn({ reason: error.message }, 'transfer failed without contact; retrying');
        await contact.whenOpen(transferPauseMs);
      }
    }
  }

  async #reportStart(phase: StartReport['phase']): Promise<void> {
    await this.#report(this.#reports.start(phase, this.#stopped));
  }

  async #fail(
    error: AttemptError,
    exitCode: number | null,
    signal: string | null,
    usage: Usage | null,
  ): Promise<void> {
    const { family, code, message, retryable } = error;
    this.#services.log.info({ family, code, reason: message }, 'attempt failed');
    const reported = { family, code, message: message.slice(0, 2000), retryable };
    const report = { exitCode, signal, error: reported, usage };
    await this.#report(this.#reports.deliver({ kind: 'FAIL', report }));
    this.#hasReportedEnd = true;
  }

  /**
   * Waits for the answer to a report. A report that core calls outdated drops the job; one that it calls
   * invalid fails the attempt.
   * @throws Dropped, AttemptError
   */
  async #report(answer: Promise<ReportResult>): Promise<void> {
    const result = await answer;
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
