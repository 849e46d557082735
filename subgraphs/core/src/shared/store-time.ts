/**
 * What time it is where documents are written. In operation that is the clock of the store itself, so that clocks of several processes need
 * not agree; a simulation puts its own clock here.
 */
import type { Clock } from '@rhizome/clock';

/** The present moment as an expression inside an update pipeline or `$expr`. */
export type StoreTime = () => '$$NOW' | Date;

/** The clock of the server that executes the operation. */
export const serverTime: StoreTime = () => '$$NOW';

/** The clock that is handed in: for tests and simulations, where one process is alone. */
export function timeOf(clock: Clock): StoreTime {
  return () => clock.now();
}
