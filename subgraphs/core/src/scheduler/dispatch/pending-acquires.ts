/** Calls of `acquireJobs` that wait for work, in the order in which they came. */
import type { AcquireRequest, Grant } from '../scheduler.types.js';

/** One call of `acquireJobs` that has not been answered. */
export interface PendingAcquire {
  readonly request: AcquireRequest;
  /** Whether it waits when there is nothing at once. */
  readonly waits: boolean;
  readonly answer: (grants: readonly Grant[]) => void;
  readonly refuse: (error: unknown) => void;
  /** Whether its time is over, or its caller has gone. */
  readonly isOver: () => boolean;
}

/** How long a call may wait, and the signal that its caller has gone. */
export interface AcquireTimeout {
  readonly waitMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** See the head of this file. */
export class PendingAcquires {
  readonly #calls = new Set<PendingAcquire>();

  /** Number of calls that wait. */
  get size(): number {
    return this.#calls.size;
  }

  /** All calls that wait, the oldest first. */
  all(): readonly PendingAcquire[] {
    return [...this.#calls];
  }

  /**
   * Adds a call. It ends by `answer` or `refuse` of its {@link PendingAcquire}, or with nothing when its time is over.
   * @param onAdmitted called once it waits
   */
  admit(
    request: AcquireRequest,
    { waitMs, signal }: AcquireTimeout,
    onAdmitted: () => void,
  ): Promise<readonly Grant[]> {
    if (signal?.aborted) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      let isOver = false;
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        this.#calls.delete(pending);
      };
      // While grants are being written it is answered, too: its worker gets them with the next call.
      const giveUp = (): void => {
        isOver = true;
        pending.answer([]);
      };
      const pending: PendingAcquire = {
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
      this.#calls.add(pending);
      onAdmitted();
    });
  }

  /** Whether it still waits. */
  has(pending: PendingAcquire): boolean {
    return this.#calls.has(pending);
  }

  /** Takes a call out while its grants are being written; it must be answered, refused or requeued. */
  take(pending: PendingAcquire): void {
    this.#calls.delete(pending);
  }

  /** Requeues a call: its grants came to nothing. */
  requeue(pending: PendingAcquire): void {
    this.#calls.add(pending);
  }

  /** Refuses all. */
  refuseAll(error: Error): void {
    for (const pending of this.all()) pending.refuse(error);
  }
}
