import type { Refusal } from '../protocol/core-protocol.js';

/** Codes with which core rejects every further report about a job. */
const voidCodes = new Set(['FENCE_STALE', 'JOB_NOT_FOUND', 'JOB_STATE_CONFLICT']);

/** True if the job is no longer this pilot's. */
export function isVoid({ code }: Refusal): boolean {
  return voidCodes.has(code);
}

/**
 * True if core has given up the worker, or refuses its credential; its jobs may continue under another one.
 */
export function isWorkerLost({ code }: Refusal): boolean {
  return code === 'WORKER_LOST' || code === 'WORKER_NOT_FOUND' || code === 'UNAUTHENTICATED';
}
