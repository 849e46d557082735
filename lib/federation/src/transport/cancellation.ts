type Listener = (reason: unknown) => void;

/** Read access to the end of a call. */
export interface CallEnd {
  readonly isCancelled: boolean;
  readonly reason: unknown;
  /**
   * Calls the listener with the reason when the call is cancelled, immediately if it is already; returns a
   * function that removes it.
   */
  onCancel(listener: Listener): () => void;
}

/** The end of a call, also as a signal, which is created on first access. */
export interface SignalledEnd extends CallEnd {
  readonly signal: AbortSignal;
}

/**
 * Cancels one call. It works like an AbortController, whose signal costs more than the rest of an in-process
 * call: the signal is created on first access, and most calls end before that.
 */
export class Cancellation implements SignalledEnd {
  #controller: AbortController | undefined;
  #listeners: Listener[] | undefined;
  #isCancelled = false;
  #reason: unknown;

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  get reason(): unknown {
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#isCancelled) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Cancels; only the first reason counts. */
  cancel(reason: unknown): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
    const listeners = this.#listeners;
    this.#listeners = undefined;
    for (const listener of listeners ?? []) listener(reason);
  }

  onCancel(listener: Listener): () => void {
    if (this.#isCancelled) {
      listener(this.#reason);
      return nothing;
    }
    (this.#listeners ??= []).push(listener);
    return () => {
      const at = this.#listeners?.indexOf(listener) ?? -1;
      if (at >= 0) this.#listeners?.splice(at, 1);
    };
  }
}

const nothing = (): void => undefined;

/** A request that may end early: by a cancellation, by a signal, or not at all. */
export interface Endable {
  readonly cancellation?: SignalledEnd | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The end of a request, however it is given. Does not read the signal of a cancellation, which would create
 * it.
 */
export function endOf(request: Endable): CallEnd {
  const { cancellation } = request;
  if (cancellation) return cancellation;
  const { signal } = request;
  return signal ? new EndBySignal(signal) : never;
}

/** @throws the reason of a request's end, once it has ended. */
export function throwIfEnded(end: CallEnd): void {
  if (end.isCancelled) throw end.reason as Error;
}

const never: CallEnd = { isCancelled: false, reason: undefined, onCancel: () => nothing };

class EndBySignal implements CallEnd {
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  get isCancelled(): boolean {
    return this.#signal.aborted;
  }

  get reason(): unknown {
    return this.#signal.reason;
  }

  onCancel(listener: Listener): () => void {
    const signal = this.#signal;
    const onAbort = (): void => listener(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    return () => signal.removeEventListener('abort', onAbort);
  }
}
