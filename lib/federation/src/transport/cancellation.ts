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

/** How a request may be told to end: by a cancellation, by a signal, or not at all. */
export type Endable = Pick<SubgraphRequest, 'cancellation' | 'signal'>;

/** The end of a request, however it was given. Where there is a cancellation its signal is not asked for, which would make it. */
export function endOf(request: Endable): CallEnd {
  const { cancellation } = request;
  if (cancellation) return cancellation;
  const { signal } = request;
  return signal ? new EndBySignal(signal) : never;
}

/** @throws the reason of a request's end when it was told to end. */
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

/** The request with another end. */
export function endedBy(
  request: Omit<SubgraphRequest, 'signal'>,
  cancellation: Cancellation,
): SubgraphRequest {
  return new EndedRequest(request, cancellation);
}

/** A class, since to make an object literal with a getter costs more than the rest of a call in process. */
class EndedRequest implements SubgraphRequest {
  readonly operation: SubgraphRequest['operation'];
  readonly variablesText: SubgraphRequest['variablesText'];
  readonly variables: SubgraphRequest['variables'];
  readonly principal: SubgraphRequest['principal'];
  readonly scope: string;
  readonly requestId: string;
  readonly headers: SubgraphRequest['headers'];
  readonly cancellation: Cancellation;

  constructor(request: Omit<SubgraphRequest, 'signal'>, cancellation: Cancellation) {
    this.operation = request.operation;
    this.variablesText = request.variablesText;
    this.variables = request.variables;
    this.principal = request.principal;
    this.scope = request.scope;
    this.requestId = request.requestId;
    this.headers = request.headers;
    this.cancellation = cancellation;
  }

  get signal(): AbortSignal {
    return this.cancellation.signal;
  }
}
