import { type LongTimer, startLongTimer } from '@rhizome/clock';
import { EventEmitter, once } from 'node:events';
import type { ProgressSource } from '../checkpoints/checkpoint.types.js';
import type { EndReason } from '../payload/notice.js';
import type { Command, HeldJob, ProgressReport } from '../protocol/core-protocol.js';

/** An attempt on this host: its payload runs, or reports about it are still to be sent. */
export interface HeldRun {
  /** The job and its fence, for heartbeats. */
  readonly held: HeldJob;
  /** True while this pilot may still report about the job. */
  readonly isHeld: boolean;
  /** Time for which the payload runs on while core is silent, in seconds. */
  readonly continueSeconds: number;
  /** Time before the end of its payload at which it receives notice; 0 for none. */
  readonly noticeSeconds: number;
  /** Undefined if its payload reports none any more. */
  readonly progress: ProgressSource | undefined;
  /** Resolves once nothing of it is left here, or it is left to the next pilot; never rejects. */
  readonly done: Promise<void>;
  /** True once it is left to the next pilot. */
  readonly isLeft: boolean;
  /** Ends it without a report: the job is no longer this pilot's. */
  drop(reason: string, graceSeconds?: number): void;
  /** Gives its payload notice of its end. */
  notify(reason: EndReason, seconds: number): void;
  /** Ends it for another job: its payload receives notice, if it asks for any. The end is reported. */
  preempt(reason: string): void;
  /** Ends its payload, if one runs, and reports that core was silent for too long. */
  endInSilence(reason: string): void;
  /** Ends it because the pilot ends. What the payload has done, if it has ended, stays for the next pilot. */
  abandon(reason: string): void;
  /** Ends it because the pilot ends; its payload and what is on disk stay for the next pilot. */
  leave(reason: string): void;
  /** Continues under another fence. */
  adopt(fence: number): void;
}

/** Progress of jobs that core does not know. */
export interface UnreportedProgress {
  readonly reports: readonly ProgressReport[];
  /** Called once core has answered. */
  readonly confirm: () => void;
}

/** Largest difference between the announced end and the timer of the pilot. */
const announcedMs = 1000;
/** Time for the ends of payloads, and the reports of them, after the announced end. */
const endReportMs = 5000;

/** The attempts of this pilot. They outlive the worker that core knows it as. */
export class HeldJobs {
  readonly #runs = new Set<HeldRun>();
  readonly #timers = new Map<HeldRun, LongTimer>();
  readonly #notices = new Map<HeldRun, LongTimer>();
  readonly #events = new EventEmitter();
  /** Time at which the pilot ends its payloads, in ms of the monotonic clock. */
  #endsAt = Infinity;
  #hasLeft = false;
  /** Sets the timer of a run that begins while core is silent. */
  #arm: ((run: HeldRun) => void) | undefined;

  /** Jobs that core must know to be held. */
  get held(): readonly HeldJob[] {
    return [...this.#runs].filter(({ isHeld }) => isHeld).map(({ held }) => held);
  }

  /** Progress of jobs that core does not know. */
  async unreported(): Promise<UnreportedProgress> {
    const found = await Promise.all(
      [...this.#runs].map(async ({ held, isHeld, progress: source }) => {
        const latest = isHeld ? await source?.unreported() : undefined;
        return source && latest && { source, latest, report: { ...held, ...latest } };
      }),
    );
    const known = found.filter((one) => one !== undefined);
    return {
      reports: known.map(({ report }) => report),
      confirm: () => known.forEach(({ source, latest }) => source.recordReported(latest)),
    };
  }

  /** True if one was left to the next pilot: core must not give it away at once. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  get size(): number {
    return this.#runs.size;
  }

  add(run: HeldRun): void {
    this.#runs.add(run);
    this.#arm?.(run);
    this.#armNotice(run);
    void run.done.then(() => {
      this.#runs.delete(run);
      this.#hasLeft ||= run.isLeft;
      this.#timers.get(run)?.cancel();
      this.#timers.delete(run);
      this.#notices.get(run)?.cancel();
      this.#notices.delete(run);
      if (this.size === 0) this.#events.emit('empty');
    });
  }

  /** Resolves when there are none, or at the signal. */
  async whenEmpty(signal: AbortSignal): Promise<void> {
    if (this.size > 0) await once(this.#events, 'empty', { signal }).catch(() => undefined);
  }

  /** Executes a command about jobs; ignores others. */
  execute({ kind, jobId, fence, newFence, reason }: Command): void {
    for (const run of this.#runs) {
      const { held } = run;
      if (held.jobId !== jobId || (fence !== null && held.fence !== fence)) continue;
      if (kind === 'KILL' || kind === 'DROP') run.drop(reason ?? kind);
      if (kind === 'PREEMPT') run.preempt(reason ?? 'core asked for it');
      if (kind === 'ADOPT' && newFence !== null) run.adopt(newFence);
    }
  }

  /**
   * Core is silent: each payload runs on for its time.
   * @param answeredAt when the last answered call was sent, in ms of the monotonic clock
   */
  limit(answeredAt: number, leaseSeconds: number): void {
    this.#arm = (run) => {
      const seconds = Math.max(leaseSeconds, run.continueSeconds);
      const reason = `Core did not answer for ${seconds} s`;
      const leftMs = Math.max(0, answeredAt + seconds * 1000 - performance.now());
      this.#timers.get(run)?.cancel();
      this.#timers.set(
        run,
        startLongTimer(() => run.endInSilence(reason), leftMs),
      );
    };
    this.#runs.forEach(this.#arm);
  }

  /** Core answers again. */
  unlimit(): void {
    this.#arm = undefined;
    this.#timers.forEach((timer) => timer.cancel());
    this.#timers.clear();
  }

  /**
   * The pilot ends its payloads at this time, or earlier: those that ask for it receive notice.
   * @param endsAt in ms of the monotonic clock
   */
  announceEnd(endsAt: number): void {
    if (endsAt >= this.#endsAt) return;
    this.#endsAt = endsAt;
    this.#runs.forEach((run) => this.#armNotice(run));
  }

  #armNotice(run: HeldRun): void {
    if (run.noticeSeconds === 0 || this.#endsAt === Infinity) return;
    const leftMs = (): number => Math.max(0, this.#endsAt - performance.now());
    this.#notices.get(run)?.cancel();
    const notify = (): void => run.notify('DRAIN', leftMs() / 1000);
    this.#notices.set(run, startLongTimer(notify, Math.max(0, leftMs() - run.noticeSeconds * 1000)));
  }

  /**
   * Ends all because the pilot ends. Payloads whose announced end this is have received notice of it, and end
   * now: their ends are reported, if core answers soon.
   */
  endAll(reason: string): void {
    const isAnnounced = this.#endsAt - performance.now() < announcedMs;
    for (const run of this.#runs) {
      if (!isAnnounced || run.noticeSeconds === 0) run.abandon(reason);
      else
        this.#notices.set(
          run,
          startLongTimer(() => run.abandon(reason), endReportMs),
        );
    }
  }

  abandonAll(reason: string): void {
    this.#runs.forEach((run) => run.abandon(reason));
  }

  leaveAll(reason: string): void {
    this.#runs.forEach((run) => run.leave(reason));
  }
}
