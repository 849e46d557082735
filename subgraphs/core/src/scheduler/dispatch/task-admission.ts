/**
 * Puts ready jobs of tasks with a limit on running jobs into windows of their own: of each kind as many as
 * may start now, since there may be kinds that no worker can run. Other windows and their refills leave these
 * jobs out, so that a task at its limit costs a pass little and does not stand in front of other jobs. One
 * exists for each term of leadership.
 */
import type { Logger } from '@rhizome/log';
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import type { SuspendedTaskFeed } from '../../tasks/control/suspended-task.types.js';
import type { LimitedTask, LimitedTaskFeed } from '../../tasks/limits/limited-task.types.js';
import type { Ledger } from '../cache/ledger.js';
import type { ReadyJobsRepository, ReadyKind } from '../cache/ready-jobs.repository.js';
import type { ReadyWindows } from '../cache/ready-windows.js';
import type { RequirementClasses } from '../requirements/requirement-classes.js';

/** Dependencies of {@link TaskAdmission}. */
export interface TaskAdmissionOptions {
  readonly limitedTasks: Pick<LimitedTaskFeed, 'get' | 'all'>;
  readonly suspendedTasks: Pick<SuspendedTaskFeed, 'get'>;
  readonly jobs: Pick<ReadyJobsRepository, 'readyOfTask'>;
  readonly ledger: Pick<Ledger, 'get' | 'taskJobs'>;
  readonly windows: ReadyWindows;
  readonly classes: Pick<RequirementClasses, 'load'>;
  readonly log: Logger;
  /** Aborted at the end of the term. */
  readonly signal: AbortSignal;
}

/** Maximum number of jobs of one kind of a task in windows, and of one task. */
const mostOfKind = 512;
const mostOfTask = 2048;
/** Time after which a failed read is tried again, in milliseconds. */
const againMs = 1000;
/** Time after which jobs of other kinds are looked for again if there were none, in milliseconds. */
const othersAgainMs = 300_000;
/** Jobs that are read in addition: grants that are being written are still ready in the store. */
const spare = 64;

/** Admits jobs of limited tasks to the matching. */
export class TaskAdmission {
  readonly #options: TaskAdmissionOptions;
  readonly #onReady: () => void;
  /** Admitted jobs of each task, with their kinds. */
  readonly #admitted = new Map<string, Map<string, ReadyKind>>();
  /** Kinds of a task of which enough jobs were admitted when it had no ready jobs of other kinds. */
  readonly #onlyKinds = new Map<string, readonly string[]>();
  readonly #due = new Set<string>();
  #isRunning = false;

  /** @param onReady called when jobs were admitted */
  constructor(options: TaskAdmissionOptions, onReady: () => void) {
    this.#options = options;
    this.#onReady = onReady;
  }

  /** Returns true if another job of the task may start, apart from those that are being granted. */
  mayStart(taskId: string): boolean {
    const task = this.#options.limitedTasks.get(taskId);
    return task === undefined || this.#options.ledger.taskJobs(taskId) < task.limit;
  }

  /** Begins again with all tasks, because the windows were read again. */
  restart(): void {
    this.#admitted.clear();
    this.#onlyKinds.clear();
    for (const { id } of this.#options.limitedTasks.all()) this.check(id);
  }

  /** Processes events of jobs of limited tasks. */
  applyEvents(events: readonly JobEvent[]): void {
    for (const { jobId, last } of events) {
      const { taskId } = last;
      if (taskId === undefined || !this.#options.limitedTasks.get(taskId)) continue;
      if (last.from === 'ACTIVATED') this.forget(taskId, jobId);
      this.check(taskId);
    }
  }

  /** Takes a job out of its window: it is no longer ready, has changed, or may not start. */
  forget(taskId: string, jobId: string): void {
    const kind = this.#admitted.get(taskId)?.get(jobId);
    if (!kind) return;
    this.#options.windows.find(kind.share, kind.classId, taskId)?.remove(jobId);
    this.#admitted.get(taskId)?.delete(jobId);
  }

  /** Takes all jobs of a task out of their windows. */
  forgetTask(taskId: string): void {
    for (const jobId of [...(this.#admitted.get(taskId)?.keys() ?? [])]) this.forget(taskId, jobId);
    this.#onlyKinds.delete(taskId);
    this.#admitted.delete(taskId);
  }

  /** Admits jobs of a task soon, if it has a limit and may start any. */
  check(taskId: string): void {
    if (!this.#options.limitedTasks.get(taskId)) return;
    this.#due.add(taskId);
    if (this.#isRunning) return;
    this.#isRunning = true;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    const { limitedTasks, signal, log } = this.#options;
    for (const taskId of this.#due) {
      this.#due.delete(taskId);
      const task = limitedTasks.get(taskId);
      if (!task || signal.aborted) continue;
      await this.#admit(task).catch((err: unknown) => {
        log.warn({ err, taskId }, 'ready jobs of a limited task could not be read');
        setTimeout(() => signal.aborted || this.check(taskId), againMs).unref();
      });
    }
    this.#isRunning = false;
  }

  async #admit(task: LimitedTask): Promise<void> {
    const { jobs, classes, windows, ledger, suspendedTasks, signal } = this.#options;
    const admitted = this.#admittedOf(task.id);
    const most = this.#mostOf(task);
    if (most <= 0 || admitted.size >= mostOfTask || suspendedTasks.get(task.id)) return;
    const full = new Map([...byKind(admitted)].filter(([, own]) => own.length >= most));
    // A search behind the jobs of these kinds may read all of them.
    if (this.#onlyKinds.get(task.id)?.every((kind) => full.has(kind))) return;
    const without = [...full.values()].flatMap((own) => own.slice(0, 1));
    const limit = admitted.size + most + spare;
    const found = await jobs.readyOfTask(task.id, limit, without);
    await classes.load(found.map(({ kind }) => kind.classId));
    // Another term has its own windows.
    if (signal.aborted || this.#admitted.get(task.id) !== admitted || suspendedTasks.get(task.id)) return;
    const fresh = found.filter(({ job }) => !admitted.has(job.id) && !ledger.get(job.id));
    const kinds = byKind(admitted);
    for (const { kind, job } of fresh) {
      const own = kinds.get(keyOf(kind)) ?? [];
      if (own.length >= this.#mostOf(task)) continue;
      own.push(kind);
      kinds.set(keyOf(kind), own);
      admitted.set(job.id, kind);
      windows.openForTask(kind.share, kind.classId, task.id).insert(job);
    }
    if (fresh.length > 0) {
      this.#onReady();
      this.check(task.id);
    } else if (full.size > 0 && found.length < limit) this.#searchLater(task.id, [...full.keys()]);
  }

  /** @param kinds those of which enough jobs are admitted; there are no others */
  #searchLater(taskId: string, kinds: readonly string[]): void {
    const { signal } = this.#options;
    this.#onlyKinds.set(taskId, kinds);
    const again = (): void => {
      if (this.#onlyKinds.get(taskId) !== kinds) return;
      this.#onlyKinds.delete(taskId);
      if (!signal.aborted) this.check(taskId);
    };
    setTimeout(again, othersAgainMs).unref();
  }

  /** Admitted jobs of a task, without those that were granted since. */
  #admittedOf(taskId: string): Map<string, ReadyKind> {
    const admitted = this.#admitted.get(taskId) ?? new Map<string, ReadyKind>();
    this.#admitted.set(taskId, admitted);
    for (const jobId of admitted.keys()) if (this.#options.ledger.get(jobId)) admitted.delete(jobId);
    return admitted;
  }

  /** Number of jobs of the task that may start now. */
  #mostOf({ id, limit }: LimitedTask): number {
    return Math.min(limit - this.#options.ledger.taskJobs(id), mostOfKind);
  }
}

const keyOf = ({ classId, share }: ReadyKind): string => `${classId} ${share}`;

/** The kinds of admitted jobs, equal ones together. */
function byKind(admitted: ReadonlyMap<string, ReadyKind>): Map<string, ReadyKind[]> {
  const kinds = new Map<string, ReadyKind[]>();
  for (const kind of admitted.values()) {
    const own = kinds.get(keyOf(kind));
    if (own) own.push(kind);
    else kinds.set(keyOf(kind), [kind]);
  }
  return kinds;
}
