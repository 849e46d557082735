/** Tells the time; handed in, so that tests and simulations bring their own. */
export interface Clock {
  now(): Date;
}

/** The system's clock. */
export const systemClock: Clock = { now: () => new Date() };
