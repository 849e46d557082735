/**
 * Source of time. Rules take it as an argument, so that a test or a simulation can run them on a virtual
 * clock.
 */
export interface Clock {
  /** The time of day, for what is stored and shown. */
  now(): Date;
  /** Milliseconds since some fixed moment; never goes back. For measuring. */
  monotonicMs(): number;
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
};
