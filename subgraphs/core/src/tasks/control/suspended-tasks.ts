import type { Logger } from '@rhizome/log';
import { followNotices, type StoreNotices } from '../../shared/followed-notices.js';
import type { SuspendedTask, SuspendedTaskFeed, SuspensionChange } from './suspended-task.types.js';
import type { TaskControlRepository } from './task-control.repository.js';

/** Dependencies of {@link SuspendedTasks}. */
export interface SuspendedTasksOptions {
  readonly tasks: Pick<TaskControlRepository, 'suspended'>;
  readonly notices: StoreNotices;
  readonly log: Logger;
}

/**
 * Suspended tasks in memory, in each process of core. A paused task is one document, whatever its number of
 * jobs: each process reads it when the change stream reports it, and leaves its jobs out of the matching.
 */
export class SuspendedTasks implements SuspendedTaskFeed {
  readonly #options: SuspendedTasksOptions;
  readonly #byId = new Map<string, SuspendedTask>();
  readonly #listeners = new Set<(change: SuspensionChange) => void>();
  #unfollow: (() => void) | undefined;
  /** One read after another: an older answer must not replace a newer one. */
  #order: Promise<void> = Promise.resolve();

  constructor(options: SuspendedTasksOptions) {
    this.#options = options;
  }

  /** Reads the suspended tasks, and follows later changes. The event stream must be open. */
  async start(): Promise<void> {
    const { notices, log } = this.#options;
    const memory = {
      name: 'tasks',
      load: () => this.reread(),
      refresh: (ids: readonly string[]) => this.refresh(ids),
    };
    // A pause that is missed would let jobs start.
    this.#unfollow = followNotices(notices, memory, (err) =>
      log.warn({ err }, 'suspended tasks could not be read'),
    );
    await this.reread();
  }

  /** Stops following changes. */
  stop(): void {
    this.#unfollow?.();
  }

  get(taskId: string): SuspendedTask | undefined {
    return this.#byId.get(taskId);
  }

  onChanged(listener: (change: SuspensionChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  reread(): Promise<void> {
    return this.#read(undefined);
  }

  /** Reads these tasks from the store. */
  refresh(ids: readonly string[]): Promise<void> {
    return this.#read([...new Set(ids)]);
  }

  #read(ids: readonly string[] | undefined): Promise<void> {
    const next = this.#order.then(async () => {
      const found = await this.#options.tasks.suspended(ids);
      this.#apply(new Map(found.map((task) => [task.id, task])), ids ?? [...this.#byId.keys()]);
    });
    this.#order = next.catch(() => undefined);
    return next;
  }

  #apply(found: ReadonlyMap<string, SuspendedTask>, asked: readonly string[]): void {
    const resumed = asked.flatMap((id) => (found.has(id) ? [] : (this.#byId.get(id) ?? [])));
    const suspended = [...found.values()].filter(({ id }) => !this.#byId.has(id));
    for (const { id } of resumed) this.#byId.delete(id);
    for (const task of found.values()) this.#byId.set(task.id, task);
    if (suspended.length + resumed.length === 0) return;
    for (const listener of this.#listeners) listener({ suspended, resumed });
  }
}
