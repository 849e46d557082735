/** Workers that wait for work, in the order they came. */
import type { AcquireRequest, Grant } from '../scheduler.types.js';

/** One call of `acquireJobs` that has not been answered. */
export interface Waiter {
  readonly request: AcquireRequest;
  /** Whether it is content to wait when there is nothing at once. */
  readonly waits: boolean;
  readonly answer: (grants: readonly Grant[]) => void;
  readonly refuse: (error: unknown) => void;
  /** Whether its time is over, or nobody waits for its answer any more. */
  readonly isOver: () => boolean;
}

/** How long a call may wait, and when nobody waits for its answer any more. */
export interface Patience {
  readonly waitMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** See the head of this file. */
export class WaitingRoom {
  readonly #waiters = new Set<Waiter>();

  /** How many wait. */
  get size(): number {
    return this.#waiters.size;
  }

  /** All that wait, the first first. */
  all(): readonly Waiter[] {
    return [...this.#waiters];
  }

  /**
   * Lets a call wait: it is answered by whoever calls `answer` or `refuse` of its waiter, or with nothing when its time is over.
   * @param onAdmitted called once it waits
   */
  admit(
    request: AcquireRequest,
    { waitMs, signal }: Patience,
    onAdmitted: () => void,
  ): Promise<readonly Grant[]> {
    if (signal?.aborted) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      let isOver = false;
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        this.#waiters.delete(waiter);
      };
      // While grants are being written it is not in the room: it gets those, or leaves when they came to nothing.
      const giveUp = (): void => {
        isOver = true;
        if (this.#waiters.has(waiter)) waiter.answer([]);
      };
      const waiter: Waiter = {
        request,
        waits: waitMs > 0,
        isOver: () => isOver,
        answer: (grants) => {
          leave();
          resolve(grants);
        },
        refuse: (error) => {
          leave();
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      };
      const timer = waitMs > 0 ? setTimeout(giveUp, waitMs) : undefined;
      signal?.addEventListener('abort', giveUp);
      this.#waiters.add(waiter);
      onAdmitted();
    });
  }

  /** Whether it still waits. */
  has(waiter: Waiter): boolean {
    return this.#waiters.has(waiter);
  }

  /** Takes a waiter out while its grants are being written; it must be answered, refused or put back. */
  take(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  /** Puts a waiter back: its grants came to nothing. */
  putBack(waiter: Waiter): void {
    this.#waiters.add(waiter);
  }

  /** Refuses all. */
  refuseAll(error: Error): void {
    for (const waiter of this.all()) waiter.refuse(error);
  }
}
