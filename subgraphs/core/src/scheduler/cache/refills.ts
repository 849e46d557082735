/** Refills windows from the store: several at once, each by one reader at a time. */
import type { Logger } from '@rhizome/log';
import type { SuspendedTaskFeed } from '../../tasks/control/suspended-task.types.js';
import type { LimitedTaskFeed } from '../../tasks/limits/limited-task.types.js';
import type { ReadyJobsRepository } from './ready-jobs.repository.js';
import type { ReadyWindow } from './ready-window.js';

export interface RefillsOptions {
  readonly jobs: Pick<ReadyJobsRepository, 'ready'>;
  /** Tasks whose jobs are left out. */
  readonly suspendedTasks: Pick<SuspendedTaskFeed, 'get'>;
  /** Tasks whose jobs are in windows of their own. */
  readonly limitedTasks: Pick<LimitedTaskFeed, 'get'>;
  readonly log: Logger;
  /** Aborted when refills are no longer needed. */
  readonly signal: AbortSignal;
}

/** Number of windows that are read at the same time. */
const atOnce = 8;

/** Reads the next jobs of windows. */
export class Refills {
  readonly #options: RefillsOptions;
  readonly #underWay = new Map<ReadyWindow, Promise<boolean>>();

  constructor(options: RefillsOptions) {
    this.#options = options;
  }

  /** Reads the next part of each window. @returns true if all could be read; errors are logged */
  async run(windows: readonly ReadyWindow[]): Promise<boolean> {
    const queue = [...windows];
    let isRead = true;
    const work = async (): Promise<void> => {
      for (let window = queue.pop(); window && !this.#options.signal.aborted; window = queue.pop()) {
        isRead = (await this.#read(window)) && isRead;
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, queue.length) }, work));
    return isRead;
  }

  #read(window: ReadyWindow): Promise<boolean> {
    const known = this.#underWay.get(window);
    if (known) return known;
    const reading = this.#refill(window).finally(() => this.#underWay.delete(window));
    this.#underWay.set(window, reading);
    return reading;
  }

  async #refill(window: ReadyWindow): Promise<boolean> {
    const request = window.beginRefill();
    const { jobs, suspendedTasks, limitedTasks } = this.#options;
    const leftOut = (taskId: string) => suspendedTasks.get(taskId) ?? limitedTasks.get(taskId);
    try {
      const found = await jobs.ready(window, request, (taskId) => leftOut(taskId)?.lastJobId);
      window.endRefill(request, found);
      // Tasks that were suspended or limited during the read.
      window.removeTasks((taskId) => leftOut(taskId) !== undefined);
      return true;
    } catch (err) {
      window.endRefill(request, undefined);
      const { classId, share } = window;
      this.#options.log.warn({ err, classId, share }, 'ready jobs could not be read');
      return false;
    }
  }
}
