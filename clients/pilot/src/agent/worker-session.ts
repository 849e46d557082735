import type { Logger } from '@rhizome/log';
import type { DetectedDevice } from '../hardware/gpus/detected-device.js';
import { Backoff, sleep } from '@rhizome/retry';
import { unavailableBackoff, untilAnswered } from '../protocol/until-answered.js';
import {
  CoreRefused,
  CoreUnavailable,
  type Assignment,
  type Command,
  type DeviceReport,
  type RegisteredWorker,
} from '../protocol/core-protocol.js';
import { isWorkerLost } from '../report/void-codes.js';
import { monotonicMs } from '../supervisor/monotonic.js';
import type { HeldJobs } from './held-jobs.js';
import { JobRun, type JobRunServices } from './job-run.js';
import { Lease } from './lease.js';
import type { Slots } from './slots.js';
import { WorkFinder } from './work-finder.js';

/** Services that a session uses. */
export interface SessionServices extends JobRunServices {
  readonly slots: Slots;
  /** The jobs of this pilot, also those of earlier sessions. */
  readonly jobs: HeldJobs;
  /** Time left to this pilot; null for no limit. */
  readonly remainingSeconds: () => number | null;
  /** Longest delay between two requests while there is no work. */
  readonly longestIdlePauseMs: number;
}

/** End of a session. */
export type SessionEnd = 'DRAINED' | 'LOST' | 'LEFT';

/** Time limit for the last report, in the normal case and when the pilot must end quickly. */
const drainReportTimeoutMs = 5000;
const urgentDrainReportTimeoutMs = 1500;

/**
 * One registered worker: heartbeats, commands and work, until it has drained or core has given it up. While
 * core is silent, its payloads run on for their time, and it takes no work. Its jobs stay for the next worker
 * if core has given this one up.
 */
export class WorkerSession {
  readonly #worker: RegisteredWorker;
  readonly #lease: Lease;
  readonly #services: SessionServices;
  readonly #knownDevices: readonly DetectedDevice[];
  readonly ended: Promise<SessionEnd>;
  readonly #closing = new AbortController();
  readonly #finder: WorkFinder;
  readonly #log: Logger;
  #endWait: (() => void) | undefined;
  /** True if a heartbeat is due without waiting, also if one is on its way. */
  #isHeartbeatDue = false;
  #confirms: { readonly since: number; readonly resolve: () => void }[] = [];
  #drainReason: string | undefined;
  #isUrgent = false;
  #isLeft = false;
  /** Device changes to report with the next heartbeat; undefined if core knows the current state. */
  #newReport: DeviceReport | undefined;

  /** @param sentAt when the registration was sent, in ms of the monotonic clock */
  constructor(
    worker: RegisteredWorker,
    sentAt: number,
    services: SessionServices,
    knownDevices: readonly DetectedDevice[] = [],
  ) {
    this.#worker = worker;
    this.#services = services;
    this.#knownDevices = knownDevices;
    this.#log = services.log.child({ workerId: worker.workerId });
    this.#finder = new WorkFinder(worker.workerId, services, this.#log);
    const onChange = (isValid: boolean): void => (isValid ? this.#onReturn() : this.#onSilence());
    this.#lease = new Lease(worker.leaseSeconds, sentAt, onChange);
    this.#lease.over.addEventListener('abort', () => this.#onOver());
    worker.commands.forEach((command) => this.#execute(command));
    this.#recordContact();
    this.#openContact();
    this.ended = this.#run();
  }

  /** Takes no more work; ends once the jobs have ended. */
  drain(reason: string): void {
    if (this.#drainReason !== undefined || this.#lease.isOver) return;
    this.#drainReason = reason;
    this.#log.info({ reason, jobs: this.#services.jobs.size }, 'drain started');
    this.#finder.stop();
    void this.#reportDraining(reason, false).then(() => this.#finder.expectNothing());
  }

  /** Drains quickly: the pilot has dropped its jobs, and core gives them to other workers at once. */
  abandon(reason: string): void {
    this.#isUrgent = true;
    this.drain(reason);
  }

  /** Ends without a word to core: another pilot continues with the jobs, as the same worker. */
  leave(): void {
    this.#isLeft = true;
    this.#finder.stop();
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
    if (!this.#isLeft) await this.#services.jobs.whenEmpty(this.#lease.over);
    // Core gives the jobs of a worker that has ended to others.
    if (!this.#isLeft && !this.#services.jobs.hasLeft && !this.#lease.isOver)
      await this.#reportDraining(this.#drainReason ?? 'drained', true);
    this.#closing.abort();
    unfollow();
    this.#lease.end();
    await Promise.all(background);
    if (this.#isLeft) return 'LEFT';
    return this.#lease.isOver ? 'LOST' : 'DRAINED';
  }

  #start(assignment: Assignment): void {
    const { jobId, attempt, fence, name } = assignment;
    const log = this.#log.child({ jobId, attempt });
    log.info({ fence, name }, 'job accepted');
    const captureLimits = { ...this.#services.captureLimits, intervalMs: this.#worker.logIntervalMs };
    const limited = withinLimit(assignment, this.#worker);
    const run = new JobRun(limited, { ...this.#services, captureLimits, log });
    this.#services.slots.hold(run);
    this.#services.jobs.add(run);
    if (this.#lease.isOver) run.drop('the worker is lost');
  }

  /** Reports may be sent: core has said what becomes of each job. */
  #openContact(): void {
    const { contact, jobs } = this.#services;
    jobs.unlimit();
    contact.open(this.#worker.workerId, async () => this.#confirm());
  }

  /** The supervisors count the payloads' time without core from here on, should this pilot end. */
  #recordContact(): void {
    const { answeredAt, seconds: leaseSeconds } = this.#lease;
    const answeredAtMs = monotonicMs() - (performance.now() - answeredAt);
    this.#services.supervisors.contact({ answeredAtMs, leaseSeconds });
  }

  #onReturn(): void {
    this.#log.info({ jobs: this.#services.jobs.size }, 'contact with core restored');
    this.#openContact();
    this.#finder.resume();
  }

  #onSilence(): void {
    const { contact, jobs } = this.#services;
    const reason = `core did not answer for ${this.#lease.seconds} s`;
    this.#log.warn({ reason, jobs: jobs.size }, 'contact with core lost');
    this.#finder.pause();
    contact.close(reason);
    jobs.limit(this.#lease.answeredAt, this.#lease.seconds);
  }

  #onOver(): void {
    const { contact, jobs } = this.#services;
    const reason = String(this.#lease.over.reason);
    this.#log.warn({ reason, jobs: jobs.size }, 'worker lost');
    this.#finder.stop();
    contact.close(reason);
    jobs.limit(this.#lease.answeredAt, this.#lease.seconds);
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
    const signals = [this.#closing.signal, this.#lease.over];
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
    const { core, jobs } = this.#services;
    const sentAt = performance.now();
    this.#isHeartbeatDue = false;
    const timeoutMs = this.#worker.heartbeatSeconds * 1000;
    const report = this.#newReport;
    const { workerId } = this.#worker;
    try {
      const progress = await jobs.unreported();
      const commands = await core.heartbeat(
        workerId,
        jobs.held,
        report ?? null,
        progress.reports,
        timeoutMs,
        this.#closing.signal,
      );
      if (this.#newReport === report) this.#newReport = undefined;
      progress.confirm();
      // Before reports are sent again: they need the fences that the commands bring.
      commands.forEach((command) => this.#execute(command));
      this.#lease.renew(sentAt);
      this.#recordContact();
      if (this.#lease.isValid) this.#openContact();
      this.#confirms.filter(({ since }) => since <= sentAt).forEach(({ resolve }) => resolve());
      this.#confirms = this.#confirms.filter(({ since }) => since > sentAt);
      return true;
    } catch (error) {
      if (error instanceof CoreRefused && isWorkerLost(error)) this.#loseWorker(error);
      else if (error instanceof CoreRefused && isAboutInput(error) && report !== undefined)
        this.#discardReport(report, error);
      else if (!this.#closing.signal.aborted) this.#log.warn({ err: error }, 'heartbeat not answered');
      return false;
    }
  }

  /** Makes a heartbeat; resolves once its commands are executed. */
  async #confirm(): Promise<void> {
    this.#heartbeatSoon();
    return new Promise((resolve) => this.#confirms.push({ since: performance.now(), resolve }));
  }

  /** The jobs stay for the next worker. If core refuses that one, too, the pilot ends with its payloads. */
  #loseWorker({ message }: CoreRefused): void {
    this.#lease.lose(message);
  }

  /** An invalid device report must not cost the jobs: it is not sent again until something changes. */
  #discardReport(report: DeviceReport, error: CoreRefused): void {
    this.#log.error({ err: error }, 'device report refused');
    if (this.#newReport === report) this.#newReport = undefined;
    this.#heartbeatSoon();
  }

  /** Commands arrive over a stream; a heartbeat after each reconnect fetches those that were missed. */
  async #followCommands(): Promise<void> {
    const signal = AbortSignal.any([this.#closing.signal, this.#lease.over]);
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

  #execute(command: Command): void {
    const { kind, reason } = command;
    if (kind === 'DRAIN') this.drain(reason ?? 'core asked for it');
    else if (kind === 'WORK') this.#finder.requestNow();
    else this.#services.jobs.execute(command);
  }

  async #reportDraining(reason: string, hasEnded: boolean): Promise<void> {
    const signal = AbortSignal.any([
      this.#lease.over,
      AbortSignal.timeout(this.#isUrgent ? urgentDrainReportTimeoutMs : drainReportTimeoutMs),
    ]);
    const say = async (): Promise<void> =>
      this.#services.core.drainWorker(this.#worker.workerId, reason, hasEnded, signal);
    await untilAnswered(say, signal).catch((error: unknown) => {
      const isWorthALine = !(error instanceof CoreUnavailable) && !this.#lease.isOver;
      if (isWorthALine) this.#log.warn({ err: error }, 'drain not reported');
    });
  }
}

/** The assignment, with a notice that is not longer than the queue allows. */
function withinLimit(
  { payload, ...assignment }: Assignment,
  { maxNoticeSeconds }: RegisteredWorker,
): Assignment {
  const { notice } = payload;
  const seconds = Math.min(notice?.seconds ?? 0, maxNoticeSeconds);
  return { ...assignment, payload: notice ? { ...payload, notice: { ...notice, seconds } } : payload };
}

const isAboutInput = ({ code }: CoreRefused): boolean =>
  code === 'INVALID_VALUE' || code === 'BAD_USER_INPUT';
