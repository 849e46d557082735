/** Where rules take the time from, so that a simulation can run them on a virtual one. */
export interface Clock {
  /** The time of day, for what is stored and shown. */
  now(): Date;
  /** Milliseconds since some fixed moment, never going back: for measuring. */
  monotonicMs(): number;
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
};
