import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { FileAddress, FilesToSign } from '../files/signed-files.types.js';
import type { NodeFile } from '../files/stored-file.types.js';
import type { AttemptToken } from '../secrets/attempt-token.js';
import type { DeliveredSecret } from '../secrets/delivered-secret.js';
import type { UnitCalls } from '../protocol/unit-calls.js';
import type { LogChunk } from '../payload/output-capture.js';
import {
  CoreRefused,
  CoreUnavailable,
  type AcquireRequest,
  type Assignment,
  type CheckpointReport,
  type Command,
  type CoreProtocol,
  type DeviceReport,
  type FailReport,
  type FinishReport,
  type HeldJob,
  type ProgressReport,
  type Refusal,
  type RegisteredWorker,
  type Registration,
  type ReportAnswer,
  type StartReport,
} from '../protocol/core-protocol.js';

/** One call of a pilot, in the order of arrival. */
export interface Said {
  readonly what: string;
  readonly jobId?: string;
  readonly detail?: unknown;
}

/** A scripted job; omitted fields are small and harmless. */
export interface ScriptedJob {
  readonly jobId: string;
  readonly shell?: string;
  readonly cores?: number;
  readonly memoryMiB?: number;
  readonly walltimeSeconds?: number;
  readonly diskMiB?: number;
  readonly containerRuntime?: string;
  readonly network?: boolean;
  readonly attempt?: number;
  readonly payload?: Partial<Assignment['payload']>;
  readonly parents?: Assignment['parents'];
  readonly deviceIds?: readonly string[];
  readonly continueSeconds?: number;
  readonly checkpoints?: Assignment['checkpoints'];
}

/**
 * Core's side of the protocol, as a test needs it: it can be unreachable, lose its responses, and take jobs
 * away. It checks fences as core does: reports with an old one are refused. The tests in test/e2e use the
 * real core.
 */
export class ScriptedCore implements CoreProtocol {
  readonly said: Said[] = [];
  readonly calls: string[] = [];
  /** `away`: no response. `mute`: calls take effect, and their responses are lost. */
  mood: 'here' | 'away' | 'mute' = 'here';
  /** True to go away with the answer that sends a job. */
  leavesAfterGrant = false;
  lease = { heartbeatSeconds: 0.2, leaseSeconds: 10 };
  maxNoticeSeconds = 300;
  logIntervalMs = 200;
  /** Jobs that the last heartbeat named. */
  held: readonly HeldJob[] = [];
  /** True if it accepts device reports. */
  takesDevices = true;
  readonly #waiting: Assignment[] = [];
  readonly #fences = new Map<string, number>();
  readonly #ended = new Set<string>();
  readonly #chunks = new Map<string, LogChunk[]>();
  readonly #events = new EventEmitter();
  #pushed: Command[][] = [];
  readonly #returning = new Set<string>();
  #workers = 0;
  #isWorkerLost = false;
  #isCredentialRefused = false;
  #isClosed = false;

  /** Adds a pending job. */
  add(job: ScriptedJob): void {
    const fence = (this.#fences.get(job.jobId) ?? 0) + 1;
    this.#fences.set(job.jobId, fence);
    const attempt = job.attempt ?? 1;
    this.#waiting.push({
      jobId: job.jobId,
      fence,
      attempt,
      attemptId: `att_${job.jobId}_${attempt}_${process.pid}_${Math.round(performance.now() * 1000)}`,
      name: job.jobId,
      requirements: {
        cores: job.cores ?? 1,
        memoryMiB: job.memoryMiB ?? 256,
        diskMiB: job.diskMiB ?? 64,
        walltimeSeconds: job.walltimeSeconds ?? 60,
        containerRuntime: job.containerRuntime ?? null,
        isNetworkRequired: job.network ?? false,
      },
      payload: {
        command: 'sh',
        arguments: ['-c', job.shell ?? 'true'],
        environment: [],
        image: null,
        inputs: [],
        outputs: [],
        secretIds: [],
        isTokenRequired: false,
        keptCheckpoints: 2,
        ...job.payload,
      },
      parents: job.parents ?? [],
      checkpoints: job.checkpoints ?? [],
      continueSeconds: job.continueSeconds ?? 86_400,
      deviceIds: job.deviceIds ?? [],
      sharesDevices: false,
    });
    this.#events.emit('change');
  }

  /** Takes a job from its worker, with a command. */
  withdraw(jobId: string, kind: 'KILL' | 'DROP' = 'KILL', isReported = true): void {
    const fence = this.#fences.get(jobId) ?? 0;
    this.#fences.set(jobId, fence + 1);
    if (isReported) this.order({ kind, jobId, fence, newFence: null, reason: 'the test took it' });
  }

  /** Gives a job to another worker, from which the pilot may have it back: it has not started there. */
  reassign(jobId: string): void {
    this.withdraw(jobId, 'DROP', false);
    this.#returning.add(jobId);
  }

  /** Gives up the worker: it must register again. */
  loseWorker(): void {
    this.#isWorkerLost = true;
  }

  /** Refuses the credential of the worker: another worker gets another one. */
  refuseCredential(): void {
    this.#isCredentialRefused = true;
  }

  /** Issues a command. */
  order(command: Command): void {
    this.#pushed.push([command]);
    this.#events.emit('change');
  }

  /** The text of a job's log so far. */
  logOf(jobId: string): string {
    return (this.#chunks.get(jobId) ?? []).map(({ text }) => text).join('');
  }

  /** Calls about a job, in order. */
  about(jobId: string): readonly string[] {
    return this.said.filter((one) => one.jobId === jobId).map(({ what }) => what);
  }

  /** Waits until a condition holds; fails after a minute. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const end = performance.now() + 60_000;
    while (!holds()) {
      if (performance.now() > end)
        throw new Error(`${what}: not within 60 s; said so far: ${JSON.stringify(this.said)}`);
      await pause(10);
    }
  }

  async registerWorker(registration: Registration): Promise<RegisteredWorker> {
    return this.#answer('registerWorker', () => {
      this.#workers += 1;
      this.#isWorkerLost = this.#isCredentialRefused = false;
      const workerId = `worker_${this.#workers}`;
      this.said.push({ what: 'registered', detail: registration });
      registration.jobs.filter((job) => this.#isCurrent(job)).forEach(({ jobId }) => this.reassign(jobId));
      const { lease, maxNoticeSeconds, logIntervalMs } = this;
      const commands = this.#commandsFor(registration.jobs);
      return { workerId, ...lease, maxNoticeSeconds, logIntervalMs, commands };
    });
  }

  async heartbeat(
    workerId: string,
    jobs: readonly HeldJob[],
    report: DeviceReport | null,
    progress: readonly ProgressReport[] = [],
  ): Promise<readonly Command[]> {
    return this.#answer('heartbeat', () => {
      this.#assertIsCurrent(workerId);
      for (const one of progress) this.said.push({ what: 'progress', jobId: one.jobId, detail: one });
      if (report !== null)
        this.said.push({ what: report.isUseOnly ? 'use' : 'devices', detail: report.devices });
      if (report !== null && !this.takesDevices)
        throw new CoreRefused('INVALID_VALUE', 'devices.0.model: "?" is not valid; must be another');
      this.held = jobs;
      return this.#commandsFor(jobs);
    });
  }

  #isCurrent({ jobId, fence }: HeldJob): boolean {
    return this.#fences.get(jobId) === fence && !this.#ended.has(jobId);
  }

  #commandsFor(jobs: readonly HeldJob[]): readonly Command[] {
    return jobs
      .filter((job) => !this.#isCurrent(job))
      .map(({ jobId, fence }) => {
        if (!this.#returning.delete(jobId))
          return { kind: 'DROP', jobId, fence, newFence: null, reason: 'no longer yours' };
        const newFence = (this.#fences.get(jobId) ?? 0) + 1;
        this.#fences.set(jobId, newFence);
        this.said.push({ what: 'adopted', jobId });
        return { kind: 'ADOPT', jobId, fence, newFence, reason: null };
      });
  }

  async acquireJobs(request: AcquireRequest, signal: AbortSignal): Promise<readonly Assignment[]> {
    const end = performance.now() + request.waitSeconds * 1000;
    while (
      this.#waiting.length === 0 &&
      this.mood === 'here' &&
      performance.now() < end &&
      !signal.aborted &&
      !this.#isClosed
    )
      await pause(10);
    return this.#answer('acquireJobs', () => {
      this.#assertIsCurrent(request.workerId);
      const found: Assignment[] = [];
      let { cores, memoryMiB } = request.free;
      const devices = new Set(request.freeDeviceIds);
      for (const job of [...this.#waiting]) {
        if (
          found.length === request.count ||
          job.requirements.cores > cores ||
          job.requirements.memoryMiB > memoryMiB ||
          !job.deviceIds.every((id) => devices.has(id))
        )
          continue;
        found.push(job);
        job.deviceIds.forEach((id) => devices.delete(id));
        this.#waiting.splice(this.#waiting.indexOf(job), 1);
        cores -= job.requirements.cores;
        memoryMiB -= job.requirements.memoryMiB;
        this.said.push({ what: 'sent', jobId: job.jobId });
      }
      if (this.leavesAfterGrant && found.length > 0) this.mood = 'away';
      return found;
    });
  }

  async startJobs(workerId: string, reports: readonly StartReport[]): Promise<ReportAnswer> {
    return this.#answer('startJobs', () =>
      this.#judge(workerId, reports, (report) => this.#say(report.phase, report)),
    );
  }

  async finishJobs(workerId: string, reports: readonly FinishReport[]): Promise<ReportAnswer> {
    return this.#answer('finishJobs', () =>
      this.#judge(workerId, reports, (report) => {
        if (this.#ended.has(report.jobId)) return;
        this.#say(report.phase, report);
        if (report.phase === 'FINISHED') this.#ended.add(report.jobId);
      }),
    );
  }

  async failJobs(workerId: string, reports: readonly FailReport[]): Promise<ReportAnswer> {
    return this.#answer('failJobs', () =>
      this.#judge(workerId, reports, (report) => {
        if (this.#ended.has(report.jobId)) return;
        this.#say('failed', report);
        this.#ended.add(report.jobId);
      }),
    );
  }

  async reportCheckpoints(workerId: string, reports: readonly CheckpointReport[]): Promise<ReportAnswer> {
    return this.#answer('reportCheckpoints', () =>
      this.#judge(workerId, reports, (report) =>
        this.said.push({ what: 'checkpoints', jobId: report.jobId, detail: report }),
      ),
    );
  }

  async appendJobLog(workerId: string, job: HeldJob, chunks: readonly LogChunk[]): Promise<void> {
    await this.#answer('appendJobLog', () => {
      const [refusal] = this.#judge(workerId, [job], () => undefined).refused.values();
      if (refusal !== undefined) throw new CoreRefused(refusal.code, refusal.message);
      const known = this.#chunks.get(job.jobId) ?? [];
      this.#chunks.set(job.jobId, [...known, ...chunks.filter(({ sequence }) => sequence >= known.length)]);
    });
  }

  /** Delivers a file for each requested secret, with its id as name and value. */
  async redeemSecrets(
    workerId: string,
    job: HeldJob,
    secretIds: readonly string[],
  ): Promise<readonly DeliveredSecret[]> {
    const [refusal] = this.#judge(workerId, [job], () => undefined).refused.values();
    if (refusal !== undefined) throw new CoreRefused(refusal.code, refusal.message);
    return secretIds.map((id) => ({ id, as: 'FILE', target: id, value: id }));
  }

  /** Addresses of files, as the test scripts them; without a script, there is no storage. */
  sign: (job: HeldJob, files: FilesToSign) => Promise<readonly FileAddress[]> = async () =>
    Promise.reject(new CoreRefused('STORAGE_NOT_FOUND', 'No storage takes the outputs.'));

  async signJobFiles(workerId: string, job: HeldJob, files: FilesToSign): Promise<readonly FileAddress[]> {
    return this.#answer('signJobFiles', async () => {
      const [refusal] = this.#judge(workerId, [job], () => undefined).refused.values();
      if (refusal !== undefined) throw new CoreRefused(refusal.code, refusal.message);
      return this.sign(job, files);
    });
  }

  /** Files that jobs read from other nodes, by job. */
  readonly filesOfNodes = new Map<string, readonly NodeFile[]>();

  async nodeFiles({ jobId }: Pick<HeldJob, 'jobId'>): Promise<readonly NodeFile[]> {
    return this.#answer('nodeFiles', () => this.filesOfNodes.get(jobId) ?? []);
  }

  async attemptToken({ jobId, fence }: HeldJob): Promise<AttemptToken> {
    return { token: `${jobId}.${fence}.token`, expiresInSeconds: 1200, storages: [] };
  }

  /** Work units, as the test scripts them; without a script, there is no pool. */
  units: UnitCalls = {
    lease: async ({ pool }) => Promise.reject(new CoreRefused('POOL_NOT_FOUND', `Pool "${pool}" not found.`)),
    complete: async () => ({ acceptedIds: [], errors: [] }),
    fail: async () => ({ acceptedIds: [], errors: [] }),
    extend: async () => ({ acceptedIds: [], errors: [] }),
    addNodes: async () => Promise.reject(new CoreRefused('WORKFLOW_NOT_FOUND', 'The job runs no node.')),
    close: async () => undefined,
  };

  unitCalls(): UnitCalls {
    return this.units;
  }

  async drainWorker(workerId: string, reason: string, hasEnded: boolean): Promise<void> {
    await this.#answer('drainWorker', () => {
      this.#assertIsCurrent(workerId);
      this.said.push({ what: hasEnded ? 'ended' : 'draining', detail: reason });
    });
  }

  async *workerCommands(_workerId: string, signal: AbortSignal): AsyncIterable<readonly Command[]> {
    let next = this.#pushed.length;
    yield [];
    while (!signal.aborted && !this.#isClosed) {
      await once(this.#events, 'change', { signal }).catch(() => undefined);
      for (; next < this.#pushed.length; next += 1) yield this.#pushed[next] ?? [];
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#events.emit('change');
    await Promise.resolve();
  }

  async #answer<T>(call: string, act: () => T): Promise<T> {
    this.calls.push(call);
    await pause(1);
    if (this.mood === 'away') throw new CoreUnavailable('nobody is at home');
    const result = act();
    if (this.mood === 'mute') throw new CoreUnavailable('the answer was lost');
    return result;
  }

  #assertIsCurrent(workerId: string): void {
    if (this.#isCredentialRefused) throw new CoreRefused('UNAUTHENTICATED', 'the credential was refused');
    if (workerId !== `worker_${this.#workers}` || this.#isWorkerLost)
      throw new CoreRefused('WORKER_LOST', 'another worker took over');
  }

  /** Old fences are refused; everything else is accepted. */
  #judge<T extends HeldJob>(
    workerId: string,
    reports: readonly T[],
    take: (report: T) => void,
  ): ReportAnswer {
    this.#assertIsCurrent(workerId);
    const refused = new Map<string, Refusal>();
    for (const report of reports) {
      if (this.#fences.get(report.jobId) !== report.fence)
        refused.set(report.jobId, { code: 'FENCE_STALE', message: 'the fence no longer counts' });
      else take(report);
    }
    for (const jobId of refused.keys()) this.said.push({ what: 'refused', jobId });
    return { refused };
  }

  #say(what: string, report: HeldJob): void {
    const isRepeated = this.said.some((one) => one.what === what && one.jobId === report.jobId);
    if (!isRepeated) this.said.push({ what, jobId: report.jobId, detail: report });
  }
}
