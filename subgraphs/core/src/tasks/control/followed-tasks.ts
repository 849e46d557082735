import type { Logger } from '@rhizome/log';
import { followNotices, type StoreNotices } from '../../shared/followed-notices.js';

/** Dependencies of {@link FollowedTasks}. */
export interface FollowedTasksOptions<T> {
  /** Reads the tasks of the kind that is followed; with ids, those among them. */
  readonly read: (ids?: readonly string[]) => Promise<readonly T[]>;
  readonly notices: StoreNotices;
  readonly log: Logger;
  /** Message of the log if they cannot be read. */
  readonly failure: string;
}

/** Tasks that began to be followed, and tasks that no longer are. */
export interface FollowedChange<T> {
  readonly added: readonly T[];
  readonly removed: readonly T[];
  /** Tasks that were followed before and still are. */
  readonly kept: readonly T[];
}

/**
 * Tasks of one kind in memory, in each process of core: each process reads a task when the change stream
 * reports it.
 */
export class FollowedTasks<T extends { readonly id: string }> {
  readonly #options: FollowedTasksOptions<T>;
  readonly #byId = new Map<string, T>();
  readonly #listeners = new Set<(change: FollowedChange<T>) => void>();
  #unfollow: (() => void) | undefined;
  /** One read after another: an older answer must not replace a newer one. */
  #order: Promise<void> = Promise.resolve();

  constructor(options: FollowedTasksOptions<T>) {
    this.#options = options;
  }

  /** Reads the tasks, and follows later changes. The event stream must be open. */
  async start(): Promise<void> {
    const { notices, log, failure } = this.#options;
    const memory = {
      name: 'tasks',
      load: () => this.reread(),
      refresh: (ids: readonly string[]) => this.refresh(ids),
    };
    this.#unfollow = followNotices(notices, memory, (err) => log.warn({ err }, failure));
    await this.reread();
  }

  /** Stops following changes. */
  stop(): void {
    this.#unfollow?.();
  }

  /** Returns the task, if it is followed. */
  get(taskId: string): T | undefined {
    return this.#byId.get(taskId);
  }

  /** All tasks that are followed. */
  all(): Iterable<T> {
    return this.#byId.values();
  }

  /** Calls the listener with changes. @returns function that removes it */
  onChange(listener: (change: FollowedChange<T>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads all tasks from the store. */
  reread(): Promise<void> {
    return this.#read(undefined);
  }

  /** Reads these tasks from the store. */
  refresh(ids: readonly string[]): Promise<void> {
    return this.#read([...new Set(ids)]);
  }

  #read(ids: readonly string[] | undefined): Promise<void> {
    const next = this.#order.then(async () => {
      const found = await this.#options.read(ids);
      this.#apply(new Map(found.map((task) => [task.id, task])), ids ?? [...this.#byId.keys()]);
    });
    this.#order = next.catch(() => undefined);
    return next;
  }

  #apply(found: ReadonlyMap<string, T>, asked: readonly string[]): void {
    const removed = asked.flatMap((id) => (found.has(id) ? [] : (this.#byId.get(id) ?? [])));
    const tasks = [...found.values()];
    const added = tasks.filter(({ id }) => !this.#byId.has(id));
    const kept = tasks.filter(({ id }) => this.#byId.has(id));
    for (const { id } of removed) this.#byId.delete(id);
    for (const task of tasks) this.#byId.set(task.id, task);
    if (added.length + removed.length + kept.length === 0) return;
    for (const listener of this.#listeners) listener({ added, removed, kept });
  }
}
