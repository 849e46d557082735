/** Why a worker's word is refused. */
import type { InputError } from '@rhizome/errors';
import type { WorkerDocument } from './worker.types.js';

/** Codes beside INVALID_VALUE. */
export type WorkerErrorCode =
  | 'QUEUE_NOT_FOUND'
  | 'WORKER_NOT_FOUND'
  | 'WORKER_LOST'
  | 'JOB_NOT_FOUND'
  | 'FENCE_STALE'
  | 'JOB_STATE_CONFLICT'
  | 'OUTPUT_MISSING'
  | 'LOG_TOO_LARGE'
  | 'IDEMPOTENCY_KEY_REUSED';

/** One entry of `userErrors`. `C` lists the codes of the mutation besides `INVALID_VALUE`. */
export type WorkerProblem<C extends WorkerErrorCode> = InputError<C>;

/** Codes with which any call of a worker that is not registered is refused. */
export type AccessCode = 'WORKER_NOT_FOUND' | 'WORKER_LOST';

/** Codes of reports about jobs. */
export type ReportCode = AccessCode | 'JOB_NOT_FOUND' | 'FENCE_STALE' | 'JOB_STATE_CONFLICT';

/** Why a worker may not speak, or undefined if it may. */
export function rejectUnknownOrLost(
  workerId: string,
  worker: WorkerDocument | undefined,
): WorkerProblem<AccessCode> | undefined {
  if (worker?.state === 'LOST') {
    return {
      code: 'WORKER_LOST',
      path: ['workerId'],
      message: `workerId: ${workerId} was lost: ${worker.stateReason ?? 'its lease ended'}; drop its jobs and register anew`,
    };
  }
  if (!worker || worker.state === 'ENDED') {
    const why = worker ? 'has ended' : 'does not exist';
    return {
      code: 'WORKER_NOT_FOUND',
      path: ['workerId'],
      message: `workerId: ${JSON.stringify(workerId)} ${why}; register a worker first`,
    };
  }
  return undefined;
}
