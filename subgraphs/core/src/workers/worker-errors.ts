/** Errors of calls of workers. */
import type { InputError } from '@rhizome/errors';
import type { WorkerDocument } from './worker.types.js';

/** Error codes in addition to `INVALID_VALUE`. */
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

/** One entry of `userErrors`. `C` lists the codes of the mutation in addition to `INVALID_VALUE`. */
export type WorkerProblem<C extends WorkerErrorCode> = InputError<C>;

/** Error codes of every call of a worker that is not registered. */
export type AccessCode = 'WORKER_NOT_FOUND' | 'WORKER_LOST';

/** Codes of reports about jobs. */
export type ReportCode = AccessCode | 'JOB_NOT_FOUND' | 'FENCE_STALE' | 'JOB_STATE_CONFLICT';

/** Returns the error if a worker may not call, else undefined. */
export function rejectUnknownOrLost(
  workerId: string,
  worker: WorkerDocument | undefined,
): WorkerProblem<AccessCode> | undefined {
  if (worker?.state === 'LOST') {
    return {
      code: 'WORKER_LOST',
      path: ['workerId'],
      message: `Worker ${JSON.stringify(workerId)} was lost: ${worker.stateReason ?? 'its lease ended'}; register again, with the jobs whose payloads still run.`,
    };
  }
  if (!worker || worker.state === 'ENDED') {
    const problem = worker ? 'has ended' : 'not found';
    return {
      code: 'WORKER_NOT_FOUND',
      path: ['workerId'],
      message: `Worker ${JSON.stringify(workerId)} ${problem}; register again.`,
    };
  }
  return undefined;
}
