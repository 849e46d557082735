import type { Logger } from '@rhizome/log';
import type { DeviceMonitor } from '../hardware/gpus/device-monitor.js';
import type { ProgressSource } from '../checkpoints/checkpoint.types.js';
import { JobCheckpoints } from '../checkpoints/job-checkpoints.js';
import { AttemptOutputs } from '../files/attempt-outputs.js';
import { type AttemptFolders, removeFolders, type Scratch } from '../files/scratch.js';
import { OutputFolder } from '../files/output-folder.js';
import { stageIn } from '../files/staging.js';
import { stageUpload } from '../files/uploads/stage-upload.js';
import type { NodeFile, StoredFile } from '../files/stored-file.types.js';
import { AttemptError } from '../payload/attempt-error.js';
import { failureOf } from '../payload/conclusion.js';
import type { EndReason } from '../payload/notice.js';
import type { Usage } from '../payload/usage-meter.js';
import {
  type Assignment,
  type CoreProtocol,
  CoreRefused,
  type FinishReport,
  type HeldJob,
  type Refusal,
} from '../protocol/core-protocol.js';
import type { Contact } from '../report/contact.js';
import { JobReports } from '../report/job-reports.js';
import { isVoid } from '../report/void-codes.js';
import type { AttemptSecrets } from '../secrets/attempt-secrets.js';
import type { Masked } from '../secrets/output-mask.js';
import type { Spool } from '../spool/spool.js';
import type { JobRecord } from '../spool/spool.types.js';
import type { FileStore } from '../files/file-store.types.js';
import type { SignedFiles } from '../files/signed-files.js';
import { AttemptRecord } from '../supervisor/attempt-record.js';
import { type PayloadHandle, PayloadTaken } from '../supervisor/payload-handle.js';
import type { SupervisorClient } from '../supervisor/supervisor-client.js';
import type { Supervisors } from '../supervisor/supervisors.js';
import type { AdoptedAttempt } from './adopted-attempt.js';
import type { HeldRun } from './held-jobs.js';
import { JobDevices } from './job-devices.js';
import { type FileWorld, jobFiles } from './job-files.js';
import { JobSecrets } from './job-secrets.js';
import { runtimeOf, type AttemptParts } from './payload-command.js';
import { JobUnits, type JobUnitsParts } from '../units/job-units.js';
import { type EndPhase, ProgressRecorder } from './progress-recorder.js';
import { repeatInSilence } from './repeat-in-silence.js';
import { ResultReports } from './result-reports.js';
import { payloadLimits, startPayload, type PayloadDefaults } from './start-payload.js';

/** Longest time for which outputs of a failed attempt are stored, in milliseconds: its job waits for it. */
const keepMs = 120_000;

/** Services that a job run uses. */
export interface JobRunServices extends PayloadDefaults, FileWorld {
  readonly core: CoreProtocol;
  readonly contact: Contact;
  readonly spool: Spool;
  readonly supervisors: Supervisors;
  readonly store: FileStore;
  /** True if outputs go to a storage of core where it has one, and to the store otherwise. */
  readonly usesStorages: boolean;
  readonly devices: DeviceMonitor;
  readonly log: Logger;
}

/**
 * Thrown when the job no longer belongs to this worker: its payload ends, and nothing more is reported about
 * it.
 */
class Dropped extends Error {}

/**
 * One attempt on this host, from its assignment to its last report: inputs, payload, log, outputs. `done`
 * resolves once nothing of it is left on this host, or it was left to the next pilot; it never rejects.
 */
export class JobRun implements HeldRun {
  readonly #services: JobRunServices;
  readonly done: Promise<void>;
  readonly #dropped = new AbortController();
  /**
   * Aborted when core was silent for too long, or the job is preempted without notice, with the error of the
   * attempt as its reason.
   */
  readonly #timedOut = new AbortController();
  readonly #stopped = AbortSignal.any([this.#dropped.signal, this.#timedOut.signal]);
  readonly #reports: JobReports;
  readonly #results: ResultReports;
  readonly #progress: ProgressRecorder;
  #hasPayloadEnded = false;
  #isPreempted = false;
  #isLeft = false;
  #payload: PayloadHandle | undefined;
  /** The start of the payload, once it was asked for. */
  #starting: Promise<PayloadHandle | undefined> | undefined;
  #outputs: OutputFolder | undefined;
  #scratch: Scratch | undefined;
  /** Notice for its payload; the end is in ms of the monotonic clock. */
  #notice: { readonly reason: EndReason; readonly endsAt: number } | undefined;
  readonly #devices: JobDevices;
  readonly #jobSecrets: JobSecrets;
  readonly #files: SignedFiles;
  #secrets: AttemptSecrets | undefined;
  #checkpoints: JobCheckpoints | undefined;
  #units: JobUnits | undefined;

  /** @param adopted set for a payload that an earlier pilot has started */
  constructor(
    readonly assignment: Assignment,
    services: JobRunServices,
    adopted?: AdoptedAttempt,
  ) {
    this.#services = services;
    const { devices, log, spool } = services;
    const { jobId, fence, attemptId } = assignment;
    const state = { jobId, fence, attemptId, nextSequence: 0 };
    this.#reports = adopted?.reports ?? new JobReports(state, spool.attempt(attemptId), services);
    this.#results = new ResultReports(this.#reports, log, this.#dropped.signal, (refusal) =>
      this.#dropIfVoid(refusal),
    );
    this.#progress = new ProgressRecorder(this.#reports, log, adopted?.phase ?? null);
    this.#devices = new JobDevices(assignment.deviceIds, devices, (reason) =>
      log.warn({ reason }, 'job device failed'),
    );
    this.#jobSecrets = new JobSecrets(assignment, this.#reports, services);
    const onRefused = (refusal: Refusal): void => this.#dropIfVoid(refusal);
    this.#files = jobFiles(this.#reports, services.core, services, onRefused, log);
    this.done = this.#run(adopted);
  }

  /** The job and its fence, for heartbeats. */
  get held(): HeldJob {
    return this.#reports.held;
  }

  get continueSeconds(): number {
    return this.assignment.continueSeconds;
  }

  get noticeSeconds(): number {
    return this.assignment.payload.notice?.seconds ?? 0;
  }

  get progress(): ProgressSource | undefined {
    return this.#checkpoints;
  }

  /** True while this pilot may still report about the job. */
  get isHeld(): boolean {
    return !this.#results.hasReportedEnd && !this.isDropped;
  }

  /** True once the job was taken from this worker. */
  get isDropped(): boolean {
    return this.#dropped.signal.aborted;
  }

  get isLeft(): boolean {
    return this.#isLeft;
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

  /** A payload that has not started yet receives it when it starts. */
  notify(reason: EndReason, seconds: number): void {
    this.#services.log.info({ reason, seconds }, 'payload notified of its end');
    this.#notice = { reason, endsAt: performance.now() + seconds * 1000 };
    this.#payload?.notify(reason, seconds);
  }

  /** Core repeats the command until the end is reported. */
  preempt(reason: string): void {
    if (!this.isHeld || this.#isPreempted || this.#hasPayloadEnded) return;
    this.#isPreempted = true;
    this.#services.log.info({ reason }, 'job preempted');
    if (this.noticeSeconds > 0 && this.#payload) return this.notify('PREEMPTION', this.noticeSeconds);
    this.#timedOut.abort(new AttemptError('WORKER', 'DRAINED', `The job was ${reason}`, true));
    this.#payload?.terminate();
  }

  /** Nobody else gets the job if core itself was away, so its end is reported. */
  endInSilence(reason: string): void {
    if (!this.isHeld || this.#hasPayloadEnded) return;
    this.#services.log.warn({ reason }, 'payload stopped');
    this.#timedOut.abort(new AttemptError('WORKER', 'CONTACT_LOST', reason, true));
    this.#payload?.terminate();
  }

  abandon(reason: string): void {
    if (this.#hasPayloadEnded || this.#reports.isEndSpooled) this.leave(reason);
    else this.drop(reason, 1);
  }

  leave(reason: string): void {
    if (!this.isHeld) return;
    this.#isLeft = true;
    const left = new Dropped(reason);
    this.#dropped.abort(left);
    this.#reports.leave(left);
    this.#payload?.leave(left);
  }

  adopt(fence: number): void {
    this.#services.log.info({ fence }, 'job kept with another fence');
    this.#reports.adopt(fence);
    void this.#progress.save();
  }

  /** Drops the job after a refusal that says that it is no longer this worker's. */
  #dropIfVoid(refusal: Refusal): void {
    if (isVoid(refusal)) this.drop(`${refusal.code}: ${refusal.message}`);
  }

  async #run(adopted: AdoptedAttempt | undefined): Promise<void> {
    try {
      await (adopted === undefined ? this.#begin() : this.#continue(adopted));
    } catch (error) {
      if (error instanceof PayloadTaken) this.leave(error.message);
      await this.#onFailure(error);
    } finally {
      await this.#reports.close();
      await this.#progress.settled();
      await this.#outputs?.close();
      await this.#units?.close();
      await this.#checkpoints?.close();
      this.#devices.release();
      if (!this.#isLeft) await this.#cleanUp();
    }
  }

  /** The record goes first: what has none is removed with the part of the scratch space. */
  async #cleanUp(): Promise<void> {
    const { log } = this.#services;
    try {
      this.#payload?.forget();
      await this.#progress.record?.remove();
      await this.#secrets?.remove();
      if (this.#scratch) await removeFolders(this.#scratch.foldersOf(this.assignment.attemptId));
    } catch (error) {
      log.warn({ err: error }, 'folders of the attempt not removed');
    }
  }

  async #begin(): Promise<void> {
    const { attemptId } = this.assignment;
    const supervisor = await this.#services.supervisors.current();
    this.#scratch = supervisor.scratch;
    const folders = await supervisor.scratch.makeFolders(attemptId);
    this.#outputs = await OutputFolder.open(folders.outputs);
    const record = new AttemptRecord(supervisor.folder, attemptId);
    this.#progress.record = record;
    await record.make({ assignment: this.assignment, outputs: this.#outputs.identity });
    const parts = { assignment: this.assignment, folders, record };
    this.#checkpoints = await JobCheckpoints.begin(parts, this.#services);
    await this.#prepare(supervisor);
    if (this.#secrets?.token !== undefined)
      this.#units = await JobUnits.begin(this.#unitsParts(folders, record));
    const isKernels = supervisor.facts.controllers?.includes('memory') === true;
    const memoryLimit = isKernels ? 'CONTROL_GROUP_V2' : 'SAMPLES';
    await this.#results.start({ phase: 'RUNNING', memoryLimit }, this.#stopped);
    const payload = await this.#startPayload(supervisor);
    this.#services.log.info({ processId: payload.pid }, 'payload started');
    await this.#follow(payload, this.#outputs);
  }

  /** Continues where an earlier pilot has ended. */
  async #continue({ record, scratch, payload, outputs, secrets }: AdoptedAttempt): Promise<void> {
    this.#services.log.info({ processId: payload.pid }, 'payload adopted');
    this.#scratch = scratch;
    this.#progress.record = record;
    this.#outputs = outputs;
    this.#payload = payload;
    const folders = scratch.foldersOf(this.assignment.attemptId);
    const parts = { assignment: this.assignment, folders, record };
    try {
      this.#checkpoints = await JobCheckpoints.resume(parts, this.#services);
      if (secrets !== null) this.#secrets = this.#jobSecrets.reopen(secrets, scratch, payload, this.#stopped);
      if (this.assignment.payload.isTokenRequired)
        this.#units = await JobUnits.resume(this.#unitsParts(folders, record));
    } catch (error) {
      // The attempt fails, and its payload must not run on where others count on its cores.
      payload.terminate();
      await payload.result;
      throw error;
    }
    await this.#follow(payload, outputs);
  }

  #unitsParts(folders: AttemptFolders, record: AttemptRecord): JobUnitsParts {
    const { core, log } = this.#services;
    return { folders, record, calls: core.unitCalls(() => this.#secrets?.token ?? ''), log };
  }

  /** Ships the log of the payload, waits for its end, and reports it. */
  async #follow(payload: PayloadHandle, outputs: OutputFolder): Promise<void> {
    const { log } = this.#services;
    this.#reports.listen({
      onRefused: (refusal) => this.#dropIfVoid(refusal),
      onLogRefused: () => payload.output.discard(),
    });
    const shipping = this.#progress.ship(payload.output, this.#services.contact, this.#dropped.signal);
    const hasEnded = new AbortController();
    const over = AbortSignal.any([hasEnded.signal, this.#dropped.signal]);
    const serving = this.#checkpoints?.serve(this.#reports, over, () => payload.noticedAt);
    const result = await this.#devices
      .resultOf(payload.result)
      .finally(() => hasEnded.abort(new Error('the payload has ended')));
    this.#hasPayloadEnded = true;
    await this.#units?.close();
    await serving;
    if (!this.isDropped) await this.#checkpoints?.reportLast();
    const { exitCode, signal, exceeded, survivors } = result;
    log.info({ exitCode, signal, exceeded, cpuSeconds: result.usage.cpuSeconds }, 'payload ended');
    if (survivors > 0) log.error({ survivors }, 'payload processes survived SIGKILL');
    await shipping;
    this.#dropped.signal.throwIfAborted();
    const timedOut = this.#timedOut.signal.reason as AttemptError | undefined;
    const limits = payloadLimits(this.assignment, this.#services);
    const { checkpointExitCode } = this.assignment.payload.notice ?? {};
    const failure =
      timedOut ?? (await this.#devices.attribute(failureOf(result, limits, checkpointExitCode)));
    const own = new AttemptOutputs(this.assignment, outputs, this.#files, this.#services);
    if (failure === undefined) return this.#finish(own, exitCode ?? 0, result.usage);
    const kept = await this.#keep(own, failure);
    await this.#results.fail(failure, { exitCode, signal, usage: result.usage, outputs: kept });
  }

  /** Where core cannot be reached, nothing can be stored. */
  async #keep(outputs: AttemptOutputs, { family, code }: AttemptError): Promise<readonly StoredFile[]> {
    if (code === 'CONTACT_LOST') return [];
    // A host that ends the attempt has no more time than for the end of the payload.
    const limitMs = family === 'WORKER' ? this.#services.graceSeconds * 1000 : keepMs;
    return outputs.keep(limitMs, this.#dropped.signal);
  }

  /** Fetches the inputs; reports STARTING first if there are any. */
  async #prepare({ scratch, process }: SupervisorClient): Promise<void> {
    const { payload, requirements, parents, attemptId, checkpoints } = this.assignment;
    const folders = scratch.foldersOf(attemptId);
    // An image that no runtime here can run is reported before anything is fetched for it.
    if (payload.image !== null) runtimeOf(this.assignment, payload.image, this.#services.isolation);
    const { uploadId } = payload;
    const readsNodes = payload.readsNodes === true;
    const isFetching =
      uploadId != null ||
      payload.inputs.length > 0 ||
      readsNodes ||
      parents.some(({ outputs }) => outputs.length > 0);
    if (isFetching || checkpoints.length > 0) await this.#results.start({ phase: 'STARTING' }, this.#stopped);
    const { diskMiB } = requirements;
    const fetch = async (): Promise<void> => {
      const nodeFiles = readsNodes ? await this.#nodeFiles() : [];
      const ofNodes = nodeFiles.map(({ path }) => path.split('/')[0] ?? path);
      const inputNames = [...payload.inputs.map(({ name }) => name), ...new Set(ofNodes)];
      if (uploadId != null)
        await stageUpload({ uploadId, inputNames, diskMiB }, folders, this.#files, this.#stopped);
      const plan = { inputs: payload.inputs, parents, nodeFiles };
      const { store, connections, inputCache, log } = this.#services;
      const limitBytes = Math.max(1, diskMiB) * 1024 ** 2;
      const sources = { store, connections, signed: this.#files, limitBytes };
      await stageIn(plan, folders, sources, this.#stopped);
      if (inputCache) log.info(inputCache.counts, 'inputs fetched');
      await this.#checkpoints?.restore(this.#stopped);
    };
    await repeatInSilence(fetch, this.#services, this.#stopped);
    // Last, so that secrets are here no longer than needed.
    if (payload.secretIds.length === 0 && !payload.isTokenRequired) return;
    // Before its start was asked for, the payload is given the texts with it.
    const hide = async (texts: Masked): Promise<void> => (await this.#starting)?.mask(texts);
    const host = { owner: process, hide };
    this.#secrets = await this.#jobSecrets.receive(folders, host, this.#stopped, (refusal) =>
      this.#dropIfVoid(refusal),
    );
  }

  /** Asks core for the files of other nodes; waits while it is out of reach. */
  async #nodeFiles(): Promise<readonly NodeFile[]> {
    const { core } = this.#services;
    try {
      return await this.#reports.call(
        ({ signal }) => core.nodeFiles(this.#reports.held, signal),
        this.#stopped,
      );
    } catch (error) {
      if (error instanceof CoreRefused) this.#dropIfVoid(error);
      this.#stopped.throwIfAborted();
      throw error;
    }
  }

  async #startPayload(supervisor: SupervisorClient): Promise<PayloadHandle> {
    const parts = (): Omit<AttemptParts, 'folders'> => ({
      devices: this.#devices.given(),
      secrets: this.#secrets,
      checkpoint: this.#checkpoints?.restored,
    });
    const starting = startPayload(supervisor, this.assignment, this.#services, parts);
    this.#starting = starting.catch(() => undefined);
    const payload = await starting;
    this.#payload = payload;
    // Stopped while the payload was starting: until now there was nothing to terminate.
    if (this.#isLeft) payload.leave(this.#dropped.signal.reason as Error);
    else if (this.#stopped.aborted) payload.terminate();
    else if (this.#notice)
      payload.notify(this.#notice.reason, Math.max(0, this.#notice.endsAt - performance.now()) / 1000);
    return payload;
  }

  async #finish(outputs: AttemptOutputs, exitCode: number, usage: Usage): Promise<void> {
    const { payload } = this.assignment;
    const { signal } = this.#dropped;
    const report = (phase: FinishReport['phase'], stored: readonly StoredFile[] = []): JobRecord => ({
      kind: 'FINISH',
      report: { phase, exitCode, usage, outputs: stored },
    });
    let stored: readonly StoredFile[] = [];
    try {
      if (payload.outputs.length > 0) {
        await this.#enter('HOLDING', report);
        const found = await outputs.find(signal);
        await this.#enter('TRANSFERRING', report);
        const send = async (): Promise<readonly StoredFile[]> => outputs.store(found, signal);
        stored = await repeatInSilence(send, this.#services, this.#stopped);
      }
      await this.#results.finish(report('FINISHED', stored));
      await this.#checkpoints?.removeAll();
    } catch (error) {
      if (!(error instanceof AttemptError)) throw error;
      // What could not be stored is not tried again.
      const isFound = ['OUTPUT_MISSING', 'OUTPUT_LIMIT_EXCEEDED'].includes(error.code);
      const kept = isFound ? await this.#keep(outputs, error) : [];
      await this.#results.fail(error, { exitCode, signal: null, usage, outputs: kept });
    }
  }

  /** Reports a phase after the end of the payload, unless an earlier pilot did it. */
  async #enter(phase: EndPhase, report: (phase: EndPhase) => JobRecord): Promise<void> {
    if (this.#progress.phase === 'TRANSFERRING' || this.#progress.phase === phase) return;
    await this.#results.enter(report(phase));
    await this.#progress.enter(phase);
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
    const unknown = { exitCode: null, signal: null, usage: null };
    await this.#results.fail(failure, unknown).catch((fault: unknown) => {
      if (!this.isDropped) log.error({ err: fault }, 'attempt failure not reported');
    });
  }
}
