/**
 * Keeps the windows on ready jobs up to date during one term of leadership: from events, from the store, and
 * without the jobs of suspended and limited tasks.
 */
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import type { FollowedChange } from '../../tasks/control/followed-tasks.js';
import type { SuspendedTaskFeed } from '../../tasks/control/suspended-task.types.js';
import type { LimitedTaskFeed } from '../../tasks/limits/limited-task.types.js';
import type { RequirementClasses } from '../requirements/requirement-classes.js';
import type { FleetWorker } from './fleet.types.js';
import { GpuDemand } from './gpu-demand.js';
import type { Ledger } from './ledger.js';
import type { ReadyJobsRepository, ReadyKind } from './ready-jobs.repository.js';
import { readyJobOf } from './ready-job.js';
import type { ReadyWindow } from './ready-window.js';
import { ReadyWindows } from './ready-windows.js';
import { Refills, type RefillsOptions } from './refills.js';

/** Dependencies of {@link WindowFeed}. */
export interface WindowFeedOptions extends RefillsOptions {
  readonly jobs: Pick<ReadyJobsRepository, 'ready' | 'readyKinds' | 'readyByIds'>;
  readonly classes: RequirementClasses;
  readonly ledger: Pick<Ledger, 'get'>;
  readonly suspendedTasks: Pick<SuspendedTaskFeed, 'get'>;
  readonly limitedTasks: Pick<LimitedTaskFeed, 'get'>;
}

/** Tasks whose jobs are left out of the windows from now on, and those whose jobs no longer are. */
export type LeftOutTasks = Pick<
  FollowedChange<{ readonly id: string; readonly shares: readonly string[] }>,
  'added' | 'removed'
>;

/** Maximum number of windows read for one question. */
const maxWindowsRead = 32;

/** The windows of one term, with the demand for GPUs of the jobs that came into them. */
export class WindowFeed {
  readonly windows = new ReadyWindows();
  readonly demand = new GpuDemand();
  readonly #options: WindowFeedOptions;
  readonly #refills: Refills;
  readonly #onReady: () => void;
  #isWarm = false;

  /** @param onReady called when jobs may fit that did not fit before */
  constructor(options: WindowFeedOptions, onReady: () => void) {
    this.#options = options;
    this.#refills = new Refills(options);
    this.#onReady = onReady;
  }

  /** True if the kinds of ready jobs are known. */
  get isWarm(): boolean {
    return this.#isWarm;
  }

  /** Finds the kinds of ready jobs. Events may come before. */
  async warm(): Promise<void> {
    const { jobs, classes, signal } = this.#options;
    for await (const { share, classId } of jobs.readyKinds(signal)) this.windows.open(share, classId);
    await classes.load([...this.windows.all()].map(({ classId }) => classId));
    await this.#refills.run([...this.windows.all()]);
    for (const window of this.windows.all()) this.#recordDemand(window.classId, window.size);
    this.#isWarm = true;
    this.#onReady();
  }

  /** Reads everything again from the store, because events may have been missed. */
  async restart(): Promise<void> {
    this.#isWarm = false;
    this.windows.clear();
    await this.warm();
  }

  /** Processes events: jobs that became ready, changed their priority, or are no longer ready. */
  applyEvents(events: readonly JobEvent[]): void {
    const { ledger } = this.#options;
    const fresh = new Map<string, number>();
    for (const { jobId, last } of events) {
      if (last.from === 'ACTIVATED') this.#removeFormer(jobId, last);
      if (last.to !== 'ACTIVATED') continue;
      if (last.taskId !== undefined && this.#isLeftOut(last.taskId)) continue;
      // The grant is newer than the event: the job is no longer ready.
      const entry = ledger.get(jobId);
      if (entry && entry.fence > last.fence) continue;
      this.windows.open(last.share, last.classId).insert(readyJobOf(jobId, last));
      fresh.set(last.classId, 1 + (fresh.get(last.classId) ?? 0));
    }
    if (fresh.size > 0) this.#announce(fresh);
  }

  /**
   * Puts jobs back whose grants were refused because they had changed: their events may have come while they
   * seemed granted. @returns jobs of limited tasks, which are not put back
   */
  async putBack(jobIds: readonly string[]): Promise<readonly { id: string; taskId: string }[]> {
    const { jobs, limitedTasks } = this.#options;
    const fresh = new Map<string, number>();
    const limited: { id: string; taskId: string }[] = [];
    for (const { kind, job } of await jobs.readyByIds(jobIds)) {
      const { id, taskId } = job;
      if (taskId !== undefined && limitedTasks.get(taskId)) limited.push({ id, taskId });
      if (taskId !== undefined && this.#isLeftOut(taskId)) continue;
      this.windows.open(kind.share, kind.classId).insert(job);
      fresh.set(kind.classId, 1 + (fresh.get(kind.classId) ?? 0));
    }
    if (fresh.size > 0) this.#announce(fresh);
    return limited;
  }

  /** Loads the classes of jobs that came into windows, by class, and has them matched. */
  #announce(fresh: ReadonlyMap<string, number>): void {
    const { classes, log } = this.#options;
    void classes.load(fresh.keys()).then(
      () => {
        for (const [classId, count] of fresh) this.#recordDemand(classId, count);
        this.#onReady();
      },
      (err: unknown) => log.warn({ err }, 'requirement classes could not be read'),
    );
  }

  /** Takes the jobs of tasks that are left out now from the windows, and reads those of the others. */
  async leaveOut({ added, removed }: LeftOutTasks): Promise<void> {
    const taken = new Set(added.map(({ id }) => id));
    if (taken.size > 0) for (const window of this.windows.all()) window.removeTasks((id) => taken.has(id));
    if (removed.length > 0) await this.#readSharesAgain(new Set(removed.flatMap(({ shares }) => shares)));
    this.#onReady();
  }

  #isLeftOut(taskId: string): boolean {
    const { suspendedTasks, limitedTasks } = this.#options;
    return (suspendedTasks.get(taskId) ?? limitedTasks.get(taskId)) !== undefined;
  }

  /** Reads the windows that were never read and could serve a worker. @returns true if all could be read */
  readFor(workers: Iterable<FleetWorker>): Promise<boolean> {
    return this.#refills.run(this.#unreadFor(workers));
  }

  /** Returns true if there are such windows. */
  hasUnreadFor(worker: FleetWorker): boolean {
    return this.#unreadFor([worker]).length > 0;
  }

  /** Reads unread windows of a share, so that positions in it can be computed; a bounded number at a time. */
  async readWindowsOf(share: string): Promise<void> {
    const unknown = [...this.windows.of(share)].filter(isUnread);
    await this.#refills.run(unknown.slice(0, maxWindowsRead));
  }

  /** Reads windows for whose jobs no worker has asked; a bounded number at a time. */
  async readUnread(): Promise<void> {
    const unread = [...this.windows.all()].filter(isUnread);
    if (unread.length > 0) await this.#refills.run(unread.slice(0, maxWindowsRead));
  }

  /** Begins to read the next jobs of windows that run low. */
  refillLow(): void {
    const low = [...this.windows.all()].filter((window) => window.isLow);
    if (low.length === 0) return;
    // After an error of the store the next event or call tries again, instead of a tight loop.
    void this.#refills.run(low).then((isRead) => isRead && this.#onReady());
  }

  #unreadFor(workers: Iterable<FleetWorker>): ReadyWindow[] {
    const shapes = new Set([...workers].map(({ shape }) => shape));
    return [...this.windows.all()].filter((window) => {
      if (!isUnread(window)) return false;
      const cls = this.#options.classes.get(window.classId);
      return cls !== undefined && [...shapes].some((shape) => shape.mayFit(cls));
    });
  }

  /** Windows were read without the jobs of resumed tasks, which may come before jobs in them. */
  async #readSharesAgain(shares: ReadonlySet<string>): Promise<void> {
    const { jobs, classes, signal } = this.#options;
    const kinds: ReadyKind[] = [];
    for await (const kind of jobs.readyKinds(signal)) if (shares.has(kind.share)) kinds.push(kind);
    for (const share of shares)
      for (const classId of this.windows.drop(share)) this.windows.open(share, classId);
    const opened = kinds.map(({ share, classId }) => this.windows.open(share, classId));
    await classes.load(opened.map(({ classId }) => classId));
    await this.#refills.run(opened);
  }

  /** Takes a job that is no longer ready, or no longer of this kind, out of its window. */
  #removeFormer(jobId: string, { to, ...last }: JobEvent['last']): void {
    const { share, classId, previousShare, previousClassId } = last;
    const isMoved = previousShare !== undefined || previousClassId !== undefined;
    if (to === 'ACTIVATED' && !isMoved) return;
    this.windows.find(previousShare ?? share, previousClassId ?? classId)?.remove(jobId);
  }

  #recordDemand(classId: string, count: number): void {
    const cls = this.#options.classes.get(classId);
    if (cls) this.demand.record(cls, count);
  }
}

function isUnread({ size, isComplete }: ReadyWindow): boolean {
  return size === 0 && !isComplete;
}
