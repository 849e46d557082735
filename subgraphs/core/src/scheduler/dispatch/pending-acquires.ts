/** Pending calls of `acquireJobs`, in order of arrival. */
import type { AcquireRequest, Grant } from '../scheduler.types.js';

/** A call of `acquireJobs` that has not been answered. */
export interface PendingAcquire {
  readonly request: AcquireRequest;
  /** True if it waits when no job fits at once. */
  readonly waits: boolean;
  readonly answer: (grants: readonly Grant[]) => void;
  readonly refuse: (error: unknown) => void;
  /** Returns true if it has timed out or its caller has disconnected. */
  readonly isOver: () => boolean;
}

/** Maximum waiting time of a call, and the signal that its caller has disconnected. */
export interface AcquireTimeout {
  readonly waitMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Pending acquires with their timeouts. */
export class PendingAcquires {
  readonly #calls = new Set<PendingAcquire>();

  /** Number of pending acquires. */
  get size(): number {
    return this.#calls.size;
  }

  /** All pending acquires, oldest first. */
  all(): readonly PendingAcquire[] {
    return [...this.#calls];
  }

  /**
   * Adds a call. It ends by `answer` or `refuse` of its {@link PendingAcquire}, or with no grants when it
   * times out.
   * @param onAdmitted called once it is pending
   */
  wait(
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
      // It times out even while its grants are being written: the worker gets them with the next call.
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

  /** Returns true if the call is still pending. */
  has(pending: PendingAcquire): boolean {
    return this.#calls.has(pending);
  }

  /** Removes a call while its grants are being written; it must be answered, refused or requeued. */
  dequeue(pending: PendingAcquire): void {
    this.#calls.delete(pending);
  }

  /** Requeues a call whose grants could not be made. */
  requeue(pending: PendingAcquire): void {
    this.#calls.add(pending);
  }

  /** Refuses all pending calls. */
  refuseAll(error: Error): void {
    for (const pending of this.all()) pending.refuse(error);
  }
}
