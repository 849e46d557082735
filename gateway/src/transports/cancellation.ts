import type { SubgraphRequest } from './transport.js';

type Listener = (reason: unknown) => void;

/** What can be asked of the end of a call. */
export interface CallEnd {
  readonly isCancelled: boolean;
  readonly reason: unknown;
  /** Calls back with the reason once the call is cancelled, at once if it is; answers what takes the listener back. */
  onCancel(listener: Listener): () => void;
}

/**
 * Ends one call from outside. It does what an AbortController does, whose signal costs more than all else of a call in process: the signal
 * is made for those who ask for it, and most calls end before anybody does.
 */
export class Cancellation implements CallEnd {
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

/** The end of a request, however it was given. */
export function endOf({ cancellation, signal }: Pick<SubgraphRequest, 'cancellation' | 'signal'>): CallEnd {
  return cancellation ?? (signal ? endBySignal(signal) : never);
}

const never: CallEnd = { isCancelled: false, reason: undefined, onCancel: () => nothing };

function endBySignal(signal: AbortSignal): CallEnd {
  return {
    get isCancelled() {
      return signal.aborted;
    },
    get reason() {
      return signal.reason as unknown;
    },
    onCancel: (listener) => {
      const onAbort = (): void => listener(signal.reason);
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
      return () => signal.removeEventListener('abort', onAbort);
    },
  };
}

/** The request with another end. */
export function endedBy(
  {
    operation,
    variablesText,
    variables,
    principal,
    scope,
    requestId,
    headers,
  }: Omit<SubgraphRequest, 'signal'>,
  cancellation: Cancellation,
): SubgraphRequest {
  return {
    operation,
    variablesText,
    variables,
    principal,
    scope,
    requestId,
    headers,
    cancellation,
    get signal() {
      return cancellation.signal;
    },
  };
}
