/**
 * A signal that is aborted with any of several, and can be released: `AbortSignal.any` would stay linked to
 * the longest-lived of them.
 */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Removes the link. */
  release(): void;
}

/** Links a new signal to others. */
export function linkSignals(signals: readonly (AbortSignal | undefined)[]): LinkedSignal {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  for (const signal of signals) {
    if (signal?.aborted) controller.abort();
    signal?.addEventListener('abort', abort, { once: true });
  }
  return {
    signal: controller.signal,
    release: () => signals.forEach((signal) => signal?.removeEventListener('abort', abort)),
  };
}
