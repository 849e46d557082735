import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { type LongTimer, startLongTimer } from '@rhizome/clock';
import { acquireLockLimit, type LockLimit, returnLockLimit } from '../processes/lock-limit.js';
import { isInside } from '../processes/namespace.js';
import { handlesSignal } from '../processes/signal-handlers.js';
import { type ControlGroup, enteringCommand, type GroupUse } from '../processes/control-group.js';
import type { ControlGroups } from '../processes/control-groups.js';
import { killAttempt, signalAttempt } from '../processes/sweep.js';
import { processesOf, type AttemptMark } from '../processes/attempt-processes.js';
import { readProcessTable, type ProcessEntry } from '../processes/process-table.js';
import type { Watchdog, Watchdogs } from '../watchdog/watchdog.js';
import { DiskWatch } from './disk-watch.js';
import { launch, supervisorsEnd, type Launched, type LaunchSpec, type ProcessEnd } from './launch.js';
import { MemoryMeter } from './memory-meter.js';
import { type EndReason, type Notice, type NoticeTerms, writeDeadline } from './notice.js';
import type { OpenPipes, PipePool } from './pipe-pool.js';
import type { ProcessMonitor } from './process-monitor.js';
import type { Amounts, ReapedAccounts } from './reaped-accounts.js';
import { OwnSharedMemory } from './own-shared-memory.js';
import { SharedMemoryFiles, type SharedMemory } from './shared-memory-files.js';
import { UsageMeter, type Usage } from './usage-meter.js';

const bytesPerMiB = 1024 ** 2;

/**
 * A limit of the job that its payload exceeded; CONTACT is its time without core, NOTICE the time that it had
 * to end after a notice for another reason than its walltime.
 */
export type ExceededLimit = 'WALLTIME' | 'MEMORY' | 'DISK' | 'CONTACT' | 'NOTICE';

/** Limits of a payload. */
export interface PayloadLimits {
  readonly walltimeSeconds: number;
  readonly memoryMiB: number;
  /** For all files in the scratch folder; at least 1, because no payload works without a file. */
  readonly diskMiB: number;
  /** Time between SIGTERM and SIGKILL, for the walltime and for `kill`. */
  readonly graceSeconds: number;
  /** Notice before the walltime ends; it replaces the grace period then. */
  readonly notice?: NoticeTerms | undefined;
}

/** Result of a payload. */
export interface PayloadResult extends ProcessEnd {
  /** False if its sandbox could not be made, or did not report the payload's end. */
  readonly isStarted: boolean;
  /** The limit for which it was killed; null if it was not. */
  readonly exceeded: ExceededLimit | null;
  /** The last notice that it received; absent without one. */
  readonly notice?: Notice | undefined;
  readonly usage: Usage;
  /** The most that a scan found in the scratch folder. */
  readonly peakDiskMiB: number;
  /** Processes that could not be killed; above 0 only for those that hang in the kernel. */
  readonly survivors: number;
}

/** Services that the payloads of one pilot share. */
export interface PayloadServices {
  readonly monitor: ProcessMonitor;
  readonly reaped: ReapedAccounts;
  readonly watchdogs: Watchdogs;
  readonly pipes: PipePool;
  /** Control groups for the payloads; undefined where the host has none for this process. */
  readonly groups?: ControlGroups | undefined;
  /** Time between two scans of a scratch folder. */
  readonly diskPeriodMs: number;
}

/** A program, and the folder for all files it writes. */
export interface PayloadSpec extends LaunchSpec {
  readonly scratch: string;
}

interface Started {
  readonly mark: AttemptMark;
  readonly launched: Launched;
  readonly watchdog: Watchdog;
  readonly pipes: OpenPipes;
  readonly scratch: string;
  readonly sharedFiles: SharedMemory;
}

/**
 * One running payload with its watchdog and its limits. `result` resolves once the leader has ended and
 * nothing of the attempt is left alive; it never rejects.
 */
export class Payload {
  readonly #mark: AttemptMark;
  readonly #launched: Launched;
  readonly #limits: PayloadLimits;
  readonly #watchdog: Watchdog;
  readonly #pipes: OpenPipes;
  readonly #services: PayloadServices;
  readonly result: Promise<PayloadResult>;
  #exceeded: ExceededLimit | null = null;
  #notice: Notice | undefined;
  /** Called before it receives notice. */
  onNotice: (() => void) | undefined;
  readonly #meter: UsageMeter;
  readonly #timers = new Set<LongTimer>();
  readonly #stopMonitor: () => void;
  readonly #disk: DiskWatch;
  readonly #sharedFiles: SharedMemory;
  readonly #startedAt = performance.now();

  private constructor(started: Started, limits: PayloadLimits, services: PayloadServices) {
    const { mark, launched } = started;
    this.#mark = mark;
    this.#launched = launched;
    this.#limits = limits;
    this.#watchdog = started.watchdog;
    this.#pipes = started.pipes;
    this.#sharedFiles = started.sharedFiles;
    this.#services = services;
    const memory = new MemoryMeter({
      limitBytes: limits.memoryMiB * bytesPerMiB,
      sharedFiles: () => this.#sharedFiles.bytes,
    });
    this.#meter = new UsageMeter(launched.leader.pid, (pids) => memory.measure(pids));
    this.#disk = new DiskWatch({
      folder: started.scratch,
      limitBytes: Math.max(1, limits.diskMiB) * bytesPerMiB,
      periodMs: services.diskPeriodMs,
      onExceeded: () => this.#exceed('DISK'),
    });
    this.#stopMonitor = services.monitor.add(mark, (entries) => this.#onSample(entries));
    this.#after(limits.walltimeSeconds, () => this.#exceedTime('WALLTIME'));
    const { walltimeSeconds, notice } = limits;
    // A rule may have made the walltime shorter than the notice.
    const noticeSeconds = Math.min(notice?.seconds ?? 0, walltimeSeconds);
    if (noticeSeconds > 0)
      this.#after(walltimeSeconds - noticeSeconds, () => void this.notify('WALLTIME', noticeSeconds));
    this.result = new Promise((resolve) => {
      launched.onEnd((end) => {
        const reaped = services.reaped.usageOfEnded(this.#meter.lastKnown);
        void this.#finish(end, reaped).then(resolve);
      });
    });
  }

  /**
   * Starts the watchdog, then the payload.
   * @throws the error of the operating system if it cannot be started; nothing is left behind then
   */
  static async start(
    attemptId: string,
    spec: PayloadSpec,
    limits: PayloadLimits,
    services: PayloadServices,
  ): Promise<Payload> {
    const group = services.groups?.make(limits.memoryMiB * bytesPerMiB);
    const lockLimit = spec.mark && acquireLockLimit(attemptId);
    const watchdog = await services.watchdogs.guard(attemptId, lockLimit, group?.folder);
    const pipes = await services.pipes.open();
    try {
      services.reaped.rebase();
      const sharedFiles = spec.hasOwnSharedMemory ? new OwnSharedMemory() : new SharedMemoryFiles();
      const launched = await launch(inGroup(marked(spec, lockLimit), group), pipes);
      watchdog.watch(launched.leader);
      const mark = { attemptId, leader: launched.leader, group };
      const { scratch } = spec;
      return new Payload({ mark, launched, watchdog, pipes, scratch, sharedFiles }, limits, services);
    } catch (error) {
      pipes.close(true);
      await group?.remove();
      watchdog.release();
      returnLockLimit(attemptId);
      throw error;
    } finally {
      pipes.closeWriters();
    }
  }

  get stdout(): Readable {
    return this.#pipes.stdout.reader;
  }

  get stderr(): Readable {
    return this.#pipes.stderr.reader;
  }

  /** The payload's first process. */
  get leader(): Launched['leader'] {
    return this.#launched.leader;
  }

  /** Ends it because core was silent for too long. */
  endInSilence(): void {
    this.#exceedTime('CONTACT');
  }

  /**
   * Gives it notice, unless it has received one of an earlier end: it is killed when the time is over.
   * Resolves once the file is written and the signal sent; never rejects.
   */
  async notify(reason: EndReason, seconds: number): Promise<void> {
    const { notice: terms } = this.#limits;
    const end = Date.now() + seconds * 1000;
    const isLater = this.#notice !== undefined && Date.parse(this.#notice.endsAt) <= end;
    if (!terms || this.#exceeded !== null || isLater) return;
    this.#notice = { reason, endsAt: new Date(end).toISOString() };
    this.onNotice?.();
    // The timer of the walltime runs since the start.
    if (reason !== 'WALLTIME') this.#after(seconds, () => this.#exceed('NOTICE'));
    // A disk that is full must not keep the signal from the payload.
    await writeDeadline(terms.file, this.#notice).catch(() => undefined);
    const { signal } = terms;
    if (signal === null) return;
    signalAttempt(this.#mark, signal, this.#services.monitor.memory.attemptOf, (entry) => {
      const isOfPayload = this.#launched.reported === undefined || isInside(entry);
      return isOfPayload && handlesSignal(entry, signal);
    });
  }

  /**
   * Asks all processes of the attempt to end (SIGTERM), and kills the remaining ones after the grace period.
   */
  terminate(graceSeconds = this.#limits.graceSeconds): void {
    const { attemptOf } = this.#services.monitor.memory;
    const isPayload = this.#launched.reported === undefined ? undefined : isInside;
    signalAttempt(this.#mark, 'SIGTERM', attemptOf, isPayload);
    this.#after(graceSeconds, () => void killAttempt(this.#mark, { attemptOf }));
  }

  #onSample(entries: readonly ProcessEntry[]): void {
    this.#sharedFiles.observe(entries.map(({ pid }) => pid));
    const bytes = this.#meter.observe(entries);
    if (bytes > this.#limits.memoryMiB * bytesPerMiB) this.#exceed('MEMORY');
  }

  /** Kills a payload that uses more than its limit, without a grace period. */
  #exceed(limit: ExceededLimit): void {
    if (this.#exceeded !== null) return;
    this.#exceeded = limit;
    void killAttempt(this.#mark, { attemptOf: this.#services.monitor.memory.attemptOf });
  }

  #exceedTime(limit: 'WALLTIME' | 'CONTACT'): void {
    // Its notice was its grace period.
    if (limit === 'WALLTIME' && this.#notice) return this.#exceed(limit);
    if (this.#exceeded !== null) return;
    this.#exceeded = limit;
    this.terminate();
  }

  /** Kills everything that the leader left behind: the job ends with its leader. */
  async #finish(end: ProcessEnd, reaped: Promise<Amounts>): Promise<PayloadResult> {
    const wallSeconds = (performance.now() - this.#startedAt) / 1000;
    this.#timers.forEach((timer) => timer.cancel());
    this.#stopMonitor();
    const { attemptOf } = this.#services.monitor.memory;
    const left = processesOf(this.#mark, readProcessTable(), attemptOf);
    const usage = withGroup(this.#meter.finish(left, await reaped, wallSeconds), this.#mark.group?.use());
    // If the first look found nothing, one more is enough.
    const survivors = await killAttempt(this.#mark, { attemptOf, emptyRounds: left.length === 0 ? 1 : 2 });
    if (survivors > 0) this.#pipes.close(false);
    else void this.#whenRead().then(() => this.#pipes.close(true));
    if (this.#mark.group?.isOutOfMemory === true) this.#exceeded ??= 'MEMORY';
    await this.#mark.group?.remove();
    this.#watchdog.release();
    returnLockLimit(this.#mark.attemptId);
    this.#sharedFiles.remove();
    await this.#disk.finish();
    if (this.#disk.isExceeded) this.#exceeded ??= 'DISK';
    const peakDiskMiB = Math.ceil(this.#disk.peakBytes / bytesPerMiB);
    const { reported } = this.#launched;
    const own = reported === undefined ? end : ((await reported) ?? supervisorsEnd(end));
    return {
      ...(own ?? end),
      isStarted: own !== undefined,
      exceeded: this.#exceeded,
      ...(this.#notice ? { notice: this.#notice } : {}),
      usage: { ...usage, peakDiskMiB },
      peakDiskMiB,
      survivors,
    };
  }

  /** All writers are gone; their last output may still be on its way to the reader. */
  async #whenRead(): Promise<void> {
    const closed = [this.stdout, this.stderr].map(async (stream) => stream.closed || once(stream, 'close'));
    await Promise.all(closed);
  }

  #after(seconds: number, action: () => void): void {
    this.#timers.add(startLongTimer(action, seconds * 1000));
  }
}

/** The program as the first process of its control group. */
function inGroup<T extends LaunchSpec>(spec: T, group: ControlGroup | undefined): T {
  if (group === undefined) return spec;
  return { ...spec, ...enteringCommand(group.folder, spec.command, spec.arguments) };
}

/** The program with a mark of its processes. */
function marked<T extends LaunchSpec>(spec: T, lockLimit: LockLimit | undefined): T {
  const { mark, command, arguments: given } = spec;
  if (mark === undefined || lockLimit === undefined) return spec;
  const limits = [`--locks=${lockLimit}:${lockLimit}`, `--nofile=${mark.openFiles}:${mark.openFiles}`];
  return { ...spec, command: mark.prlimit, arguments: [...limits, '--', command, ...given] };
}

/** The kernel counts processes of a group that no sample has seen. */
function withGroup(usage: Usage, group: GroupUse | undefined): Usage {
  if (group === undefined) return usage;
  const { cpuSeconds, peakMemoryBytes } = group;
  const peakMiB = peakMemoryBytes === null ? null : Math.ceil(peakMemoryBytes / bytesPerMiB);
  return {
    ...usage,
    cpuSeconds: Math.max(usage.cpuSeconds, cpuSeconds ?? 0),
    peakMemoryMiB: peakMiB === null ? usage.peakMemoryMiB : Math.max(usage.peakMemoryMiB ?? 0, peakMiB),
  };
}
