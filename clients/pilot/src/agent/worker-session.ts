import type { Logger } from '@rhizome/log';
import type { DetectedDevice } from '../hardware/gpus/detected-device.js';
import { Backoff, sleep } from '@rhizome/retry';
import { unavailableBackoff, untilAnswered } from '../protocol/until-answered.js';
import {
  CoreRefused,
  CoreUnavailable,
  type Command,
  type DeviceReport,
  type RegisteredWorker,
} from '../protocol/core-protocol.js';
import { Reporter } from '../report/reporter.js';
import { JobRun, type JobRunServices } from './job-run.js';
import type { Lease } from './lease.js';
import type { Slots } from './slots.js';
import { WorkFinder } from './work-finder.js';

/** Services that a session uses. */
export interface SessionServices extends Omit<JobRunServices, 'workerId' | 'reporter'> {
  readonly slots: Slots;
  /** Time left to this pilot; null for no limit. */
  readonly remainingSeconds: () => number | null;
  /** Longest delay between two requests while there is no work. */
  readonly longestIdlePauseMs: number;
}

/** End of a session. */
export type SessionEnd = 'DRAINED' | 'LOST';

/** Time limit for the last report, in the normal case and when the pilot must end quickly. */
const drainReportTimeoutMs = 5000;
const urgentDrainReportTimeoutMs = 1500;

/**
 * One registered worker: heartbeats, commands and work, until it has drained or its lease is lost. When the
 * lease is lost, every job is dropped, because others may have it from then on.
 */
export class WorkerSession {
  readonly #worker: RegisteredWorker;
  readonly #lease: Lease;
  readonly #services: SessionServices;
  readonly #knownDevices: readonly DetectedDevice[];
  readonly ended: Promise<SessionEnd>;
  readonly #runs = new Set<JobRun>();
  readonly #closing = new AbortController();
  readonly #finder: WorkFinder;
  readonly #reporter: Reporter;
  readonly #log: Logger;
  #endWait: (() => void) | undefined;
  /** True if a heartbeat is due without waiting, also if one is on its way. */
  #isHeartbeatDue = false;
  #drainReason: string | undefined;
  #isUrgent = false;
  /** Device changes to report with the next heartbeat; undefined if core knows the current state. */
  #newReport: DeviceReport | undefined;

  constructor(
    worker: RegisteredWorker,
    lease: Lease,
    services: SessionServices,
    knownDevices: readonly DetectedDevice[] = [],
  ) {
    this.#worker = worker;
    this.#lease = lease;
    this.#services = services;
    this.#knownDevices = knownDevices;
    this.#log = services.log.child({ workerId: worker.workerId });
    this.#reporter = new Reporter(services.core, worker.workerId);
    this.#finder = new WorkFinder(worker.workerId, services, this.#log);
    lease.signal.addEventListener('abort', () => this.#onLost());
    this.ended = this.#run();
  }

  /** Takes no more work; ends once the jobs have ended. */
  drain(reason: string): void {
    if (this.#drainReason !== undefined || this.#lease.isLost) return;
    this.#drainReason = reason;
    this.#log.info({ reason, jobs: this.#runs.size }, 'drain started');
    this.#finder.stop();
    void this.#reportDraining(reason, false).then(() => this.#finder.expectNothing());
  }

  /** Drops all jobs and drains: core gives them to other workers at once. */
  abandon(reason: string): void {
    this.#isUrgent = true;
    this.drain(reason);
    this.#runs.forEach((run) => run.drop(reason, 1));
  }

  async #run(): Promise<SessionEnd> {
    const background = [this.#heartbeats(), this.#followCommands()];
    const unfollow = this.#services.devices.follow(this.#knownDevices, ({ devices, isUrgent, isUseOnly }) => {
      // Facts that core has not confirmed yet are sent again.
      this.#newReport = { devices, isUseOnly: isUseOnly && this.#newReport?.isUseOnly !== false };
      if (!isUrgent) return;
      this.#heartbeatSoon();
      // Core answers the open request once it knows of the change; the next request offers the new devices.
      this.#finder.requestNow();
    });
    for await (const assignment of this.#finder.assignments()) this.#start(assignment);
    while (this.#runs.size > 0) await Promise.all([...this.#runs].map(async ({ done }) => done));
    if (!this.#lease.isLost) await this.#reportDraining(this.#drainReason ?? 'drained', true);
    this.#closing.abort();
    unfollow();
    this.#lease.end();
    await Promise.all(background);
    return this.#lease.isLost ? 'LOST' : 'DRAINED';
  }

  #start(assignment: JobRun['assignment']): void {
    const { jobId, attempt, fence, name } = assignment;
    const log = this.#log.child({ jobId, attempt });
    log.info({ fence, name }, 'job accepted');
    const { requirements, deviceIds, sharesDevices } = assignment;
    const release = this.#services.slots.book({ ...requirements, deviceIds, sharesDevices });
    const run = new JobRun(assignment, {
      ...this.#services,
      workerId: this.#worker.workerId,
      reporter: this.#reporter,
      log,
    });
    this.#runs.add(run);
    void run.done.then(() => {
      this.#runs.delete(run);
      release();
    });
    if (this.#lease.isLost) run.drop('lease lost');
  }

  #onLost(): void {
    this.#log.warn({ reason: String(this.#lease.signal.reason) }, 'lease lost');
    this.#finder.stop();
    this.#runs.forEach((run) => run.drop('lease lost'));
  }

  async #heartbeats(): Promise<void> {
    const backoff = new Backoff(unavailableBackoff);
    const period = this.#worker.heartbeatSeconds * 1000;
    let wait = period;
    while (await this.#waitForHeartbeat(wait)) {
      const isAnswered = await this.#heartbeat();
      if (isAnswered) backoff.reset();
      wait = isAnswered ? period : Math.min(period, backoff.next());
    }
  }

  #heartbeatSoon(): void {
    this.#isHeartbeatDue = true;
    this.#endWait?.();
  }

  /** Waits for the next heartbeat, or until one is due at once. False if there are no more. */
  async #waitForHeartbeat(ms: number): Promise<boolean> {
    const signals = [this.#closing.signal, this.#lease.signal];
    if (signals.some(({ aborted }) => aborted)) return false;
    if (this.#isHeartbeatDue) return true;
    await new Promise<void>((resolve) => {
      const onEnd = (): void => {
        clearTimeout(timer);
        signals.forEach((signal) => signal.removeEventListener('abort', onEnd));
        resolve();
      };
      const timer = setTimeout(onEnd, ms);
      this.#endWait = onEnd;
      signals.forEach((signal) => signal.addEventListener('abort', onEnd));
    });
    return !signals.some(({ aborted }) => aborted);
  }

  async #heartbeat(): Promise<boolean> {
    const { core } = this.#services;
    const sentAt = performance.now();
    this.#isHeartbeatDue = false;
    const held = [...this.#runs].filter(({ isHeld }) => isHeld).map((run) => run.held);
    const timeoutMs = this.#worker.heartbeatSeconds * 1000;
    const report = this.#newReport;
    const { workerId } = this.#worker;
    try {
      const commands = await core.heartbeat(workerId, held, report ?? null, timeoutMs, this.#closing.signal);
      if (this.#newReport === report) this.#newReport = undefined;
      this.#lease.renew(sentAt);
      commands.forEach((command) => this.#execute(command));
      return true;
    } catch (error) {
      if (error instanceof CoreRefused && isAboutWorker(error)) this.#lease.lose(error.message);
      else if (error instanceof CoreRefused && isAboutInput(error) && report !== undefined)
        this.#discardReport(report, error);
      else if (!this.#closing.signal.aborted) this.#log.warn({ err: error }, 'heartbeat not answered');
      return false;
    }
  }

  /** An invalid device report must not cost the jobs: it is not sent again until something changes. */
  #discardReport(report: DeviceReport, error: CoreRefused): void {
    this.#log.error({ err: error }, 'device report refused');
    if (this.#newReport === report) this.#newReport = undefined;
    this.#heartbeatSoon();
  }

  /** Commands arrive over a stream; a heartbeat after each reconnect fetches those that were missed. */
  async #followCommands(): Promise<void> {
    const signal = AbortSignal.any([this.#closing.signal, this.#lease.signal]);
    const backoff = new Backoff(unavailableBackoff);
    while (!signal.aborted) {
      try {
        for await (const commands of this.#services.core.workerCommands(this.#worker.workerId, signal)) {
          backoff.reset();
          if (commands.length === 0) this.#heartbeatSoon();
          commands.forEach((command) => this.#execute(command));
        }
      } catch (error) {
        if (!signal.aborted) this.#log.debug({ err: error }, 'command stream interrupted');
        // A heartbeat finds out whether the worker is over.
        if (error instanceof CoreRefused) this.#heartbeatSoon();
      }
      await sleep(backoff.next(), signal);
    }
  }

  #execute({ kind, jobId, fence, reason }: Command): void {
    if (kind === 'DRAIN') this.drain(reason ?? 'core asked for it');
    if (kind === 'WORK') this.#finder.requestNow();
    if (kind !== 'KILL' && kind !== 'DROP') return;
    for (const run of this.#runs) {
      if (run.held.jobId === jobId && (fence === null || run.held.fence === fence)) run.drop(reason ?? kind);
    }
  }

  async #reportDraining(reason: string, hasEnded: boolean): Promise<void> {
    const signal = AbortSignal.any([
      this.#lease.signal,
      AbortSignal.timeout(this.#isUrgent ? urgentDrainReportTimeoutMs : drainReportTimeoutMs),
    ]);
    const say = async (): Promise<void> =>
      this.#services.core.drainWorker(this.#worker.workerId, reason, hasEnded, signal);
    await untilAnswered(say, signal).catch((error: unknown) => {
      const isWorthALine = !(error instanceof CoreUnavailable) && !this.#lease.isLost;
      if (isWorthALine) this.#log.warn({ err: error }, 'drain not reported');
    });
  }
}

/** Core does not know the worker any more, or it has no valid credential and cannot get one. */
const isAboutWorker = ({ code }: CoreRefused): boolean =>
  code.startsWith('WORKER_') || code === 'UNAUTHENTICATED';
const isAboutInput = ({ code }: CoreRefused): boolean =>
  code === 'INVALID_VALUE' || code === 'BAD_USER_INPUT';
