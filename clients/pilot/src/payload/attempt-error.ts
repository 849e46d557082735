/** Who is to blame, in the words of the API. */
export type ErrorFamily = 'PAYLOAD' | 'WORKER' | 'LIMIT' | 'DATA' | 'SYSTEM';

/** Why an attempt failed, in the words of the API: what is reported about it. */
export class AttemptError extends Error {
  /** @param code a stable word; @param message one sentence for a person */
  constructor(
    readonly family: ErrorFamily,
    readonly code: string,
    message: string,
    /** Whether another attempt could end well. */
    readonly retryable: boolean,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'AttemptError';
  }
}
