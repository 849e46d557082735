/**
 * Current time where documents are written. In operation this is the clock of the store, so that the clocks
 * of several processes need not agree; a simulation supplies its own clock.
 */
import type { Clock } from '@rhizome/clock';

/** Current time as an expression in an update pipeline or `$expr`. */
export type StoreTime = () => '$$NOW' | Date;

/** Clock of the server that executes the operation. */
export const serverTime: StoreTime = () => '$$NOW';

/** Given clock: for tests and simulations with a single process. */
export function timeOf(clock: Clock): StoreTime {
  return () => clock.now();
}
