/**
 * How long what has ended is kept, in seconds; the store deletes it some minutes later. Jobs, tasks, their logs and outputs are not among it:
 * they stay.
 */
export const retention = {
  /** What a submit answered: as long as its key is known. */
  submission: 30 * 86_400,
  /** A change of many jobs, with its key, after its end. */
  bulkOperation: 30 * 86_400,
  /** A worker after its end: attempts show it until then. */
  endedWorker: 30 * 86_400,
} as const;
