/** The API's family of an attempt's error: its cause. */
export type ErrorFamily = 'PAYLOAD' | 'WORKER' | 'LIMIT' | 'DATA' | 'SYSTEM';

/** The error of an attempt, as it is reported to core. */
export class AttemptError extends Error {
  /** @param code a stable code; @param message one sentence for people */
  constructor(
    readonly family: ErrorFamily,
    readonly code: string,
    message: string,
    /** True if another attempt may succeed. */
    readonly retryable: boolean,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'AttemptError';
  }
}
