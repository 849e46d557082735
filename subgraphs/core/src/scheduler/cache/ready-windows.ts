/** All windows on ready jobs, by share and class. */
import { type ReadyWindow as Window, ReadyWindow } from './ready-window.js';

/** The experiment in a share's path. */
export function experimentOf(share: string): string {
  const slash = share.indexOf('/');
  return slash < 0 ? share : share.slice(0, slash);
}

/** Windows by share, then class; those of limited tasks by class and task. */
export class ReadyWindows {
  readonly #shares = new Map<string, Map<string, Window>>();

  /** Number of windows. */
  get size(): number {
    let size = 0;
    for (const windows of this.#shares.values()) size += windows.size;
    return size;
  }

  /** Returns the window of a share and class, if there is one; of a limited task, if it is named. */
  find(share: string, classId: string, taskId?: string): Window | undefined {
    return this.#shares.get(share)?.get(keyOf(classId, taskId));
  }

  /** Returns the window of a share and class, created empty if there is none. */
  open(share: string, classId: string): Window {
    const windows = this.#of(share);
    let window = windows.get(classId);
    if (!window) windows.set(classId, (window = new ReadyWindow(classId, share)));
    return window;
  }

  /** Returns the window of the admitted jobs of a limited task, created complete if there is none. */
  openForTask(share: string, classId: string, taskId: string): Window {
    const windows = this.#of(share);
    const key = keyOf(classId, taskId);
    let window = windows.get(key);
    if (!window) {
      window = new ReadyWindow(classId, share);
      window.endRefill(window.beginRefill(), []);
      windows.set(key, window);
    }
    return window;
  }

  /** Windows of each share. */
  byShare(): IterableIterator<[string, ReadonlyMap<string, Window>]> {
    return this.#shares.entries();
  }

  /** Windows of one share. */
  of(share: string): Iterable<Window> {
    return this.#shares.get(share)?.values() ?? [];
  }

  /** All windows. */
  *all(): IterableIterator<Window> {
    for (const windows of this.#shares.values()) yield* windows.values();
  }

  /** Removes the windows of a share, except those of limited tasks. @returns their classes */
  drop(share: string): Iterable<string> {
    const windows = this.#shares.get(share) ?? new Map<string, Window>();
    const classes = [...windows].flatMap(([key, { classId }]) => (key === classId ? [classId] : []));
    for (const classId of classes) windows.delete(classId);
    return classes;
  }

  /** Removes windows without ready jobs, so that memory follows the ready jobs and not all that ever were. */
  prune(): void {
    for (const [share, windows] of this.#shares) {
      for (const [key, window] of windows) {
        if (window.size === 0 && window.isComplete && !window.isRefilling) windows.delete(key);
      }
      if (windows.size === 0) this.#shares.delete(share);
    }
  }

  /** Removes all windows. */
  clear(): void {
    this.#shares.clear();
  }

  #of(share: string): Map<string, Window> {
    let windows = this.#shares.get(share);
    if (!windows) this.#shares.set(share, (windows = new Map()));
    return windows;
  }
}

/** Key of a window in its share. Ids contain no space. */
function keyOf(classId: string, taskId?: string): string {
  return taskId === undefined ? classId : `${classId} ${taskId}`;
}
