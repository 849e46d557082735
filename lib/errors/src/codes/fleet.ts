import { entry, type CatalogueEntry } from './entry.js';

/** Codes of queues, workers and brokerage. */
export const fleetCodes = {
  QUEUE_NOT_FOUND: entry(
    404,
    'never',
    '{field}: queue {value} does not exist, or you may not see it',
    'No such queue, or none the caller may see.',
  ),
  QUEUE_NAME_TAKEN: entry(
    409,
    'never',
    '{field}: a queue named {value} exists already',
    'Queue names are unique. Choose another name or update the queue that has it.',
  ),
  WORKER_NOT_FOUND: entry(
    404,
    'never',
    '{field}: worker {value} does not exist; register again',
    'No such worker. A pilot registers again.',
  ),
  WORKER_LOST: entry(
    409,
    'never',
    'Worker {value} was declared lost at {at}',
    'The lease of the worker ended and its jobs went to others. The pilot stops its payloads and registers again.',
  ),
  FENCE_STALE: entry(
    409,
    'never',
    'Job {value}: fence {fence} is stale',
    'The worker no longer owns the attempt. It stops the payload and reports nothing more of it.',
  ),
  LEADER_UNAVAILABLE: entry(
    503,
    'later',
    'No broker holds the lease at the moment',
    'The leader of the broker is gone or changing. The next one takes over within seconds.',
  ),
  EPOCH_STALE: entry(
    409,
    'later',
    'Epoch {value} was ended by epoch {expected}',
    'A former leader of the broker tried to write. Ask again: the new leader answers.',
  ),
} as const satisfies Record<string, CatalogueEntry>;
