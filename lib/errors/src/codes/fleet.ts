import { entry, type CatalogueEntry } from './entry.js';

/** Codes of queues, workers and brokerage. */
export const fleetCodes = {
  QUEUE_NOT_FOUND: entry(
    404,
    'never',
    'Queue "{value}" not found, or you may not see it.',
    'The queue does not exist, or the caller may not see it.',
  ),
  QUEUE_NAME_TAKEN: entry(
    409,
    'never',
    'Queue "{value}" already exists',
    'Queue names are unique. Choose another name, or update the existing queue.',
  ),
  WORKER_NOT_FOUND: entry(
    404,
    'never',
    'Worker "{value}" not found; register again.',
    'The worker does not exist. A pilot registers again.',
  ),
  WORKER_LOST: entry(
    409,
    'never',
    'Worker "{value}" was lost: {reason}; register again, with the jobs whose payloads still run.',
    'The worker is LOST, and core accepts no calls of it. The pilot registers as a new worker, with the jobs whose payloads still run, and core says which of them go on.',
  ),
  FENCE_STALE: entry(
    409,
    'never',
    'Job {value}: fence {fence} is stale',
    'The worker no longer holds the attempt. It must stop the payload and send no more reports about it.',
  ),
  LEADER_UNAVAILABLE: entry(
    503,
    'later',
    'No process holds the broker lease at the moment',
    'The broker has no leader, or the leader is changing. A new leader takes over within seconds.',
  ),
  EPOCH_STALE: entry(
    409,
    'later',
    'Epoch {value} was superseded by epoch {expected}',
    'A former leader of the broker tried to write. Retry: the new leader responds.',
  ),
} as const satisfies Record<string, CatalogueEntry>;
