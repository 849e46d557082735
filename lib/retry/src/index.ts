export { Backoff, backoffMs, type BackoffOptions } from './backoff.js';
export { forEachConcurrently } from './for-each-concurrently.js';
export { LimitByKey } from './limit-by-key.js';
export { sleep, type SleepOptions } from './sleep.js';
export { TurnsByKey } from './turns-by-key.js';
export { fulfilsWithin } from './within.js';
