/** All windows on ready jobs, by share and class. */
import { type ReadyWindow as Window, ReadyWindow } from './ready-window.js';

/** The experiment in a share's path. */
export function experimentOf(share: string): string {
  const slash = share.indexOf('/');
  return slash < 0 ? share : share.slice(0, slash);
}

/** Windows by share, then class. */
export class ReadyWindows {
  readonly #shares = new Map<string, Map<string, Window>>();

  /** Number of windows. */
  get size(): number {
    let size = 0;
    for (const windows of this.#shares.values()) size += windows.size;
    return size;
  }

  /** Returns the window of a share and class, if there is one. */
  find(share: string, classId: string): Window | undefined {
    return this.#shares.get(share)?.get(classId);
  }

  /** Returns the window of a share and class, created empty if there is none. */
  open(share: string, classId: string): Window {
    let windows = this.#shares.get(share);
    if (!windows) this.#shares.set(share, (windows = new Map()));
    let window = windows.get(classId);
    if (!window) windows.set(classId, (window = new ReadyWindow(classId, share)));
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

  /** Removes the windows of a share. @returns the classes that they were for */
  drop(share: string): Iterable<string> {
    const classes = this.#shares.get(share)?.keys() ?? [];
    this.#shares.delete(share);
    return classes;
  }

  /** Removes windows without ready jobs, so that memory follows the ready jobs and not all that ever were. */
  prune(): void {
    for (const [share, windows] of this.#shares) {
      for (const window of windows.values()) {
        if (window.size === 0 && window.isComplete && !window.isRefilling) windows.delete(window.classId);
      }
      if (windows.size === 0) this.#shares.delete(share);
    }
  }

  /** Removes all windows. */
  clear(): void {
    this.#shares.clear();
  }
}
