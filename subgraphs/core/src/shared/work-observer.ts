/** Durations and events of the work of this process, as its metrics count them. */

/** Receives them; must not throw. */
export interface WorkObserver {
  /** A pass of the scheduler has ended. */
  passEnded(seconds: number): void;
  /** Grants were decided, and written this much later. */
  grantsWritten(grants: number, seconds: number): void;
  /** The lease of a worker has ended: it is unreachable, or lost. */
  leaseLost(outcome: 'unreachable' | 'lost'): void;
  /** The store has answered a call of the transition writer, or failed. */
  storeAnswered(operation: StoreOperation, outcome: 'answered' | 'failed', seconds: number): void;
}

/** Calls of the transition writer. */
export type StoreOperation = 'write_transitions' | 'read_transitions';

const ignore = (): void => undefined;

/** Ignores everything. */
export const noObserver: WorkObserver = {
  passEnded: ignore,
  grantsWritten: ignore,
  leaseLost: ignore,
  storeAnswered: ignore,
};
