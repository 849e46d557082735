/** Assembles the counts of failures and their summaries. */
import type { FleetDatabase } from './fleet-stores.repository.js';
import { ErrorSummaries } from '../events/failures/error-summary.service.js';
import { FailureWork, type FailureWorkOptions } from '../events/failures/failure-work.js';
import { errorSummaryStore, failureStore } from './event-stores.repository.js';

/** Counts of failures, and their summaries. */
export interface FailuresModule {
  readonly work: FailureWork;
  readonly errors: ErrorSummaries;
}

/** Creates them; the counting starts when its `work` does. */
export function failuresModule(
  db: FleetDatabase,
  options: Omit<FailureWorkOptions, 'counts'>,
): FailuresModule {
  return {
    work: new FailureWork({ ...options, counts: failureStore(db) }),
    errors: new ErrorSummaries({ counts: errorSummaryStore(db), clock: options.clock }),
  };
}
