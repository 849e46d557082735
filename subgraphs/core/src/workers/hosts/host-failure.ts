/** Failures that say something about the host. */
import { isPlannedEnd, isUncounted, jobErrorsOfCore } from '@rhizome/errors';
import type { StoredFailure } from '../../jobs/model/job.types.js';

/** Returns true for a failure that the host may have caused: no limit, lost contact or planned end. */
export function mayBeOfHost({ family, code }: Pick<StoredFailure, 'family' | 'code'>): boolean {
  if (family === undefined || family === 'LIMIT' || jobErrorsOfCore.includes(code)) return false;
  const error = { family, code, retryable: true };
  return !isUncounted(error) && !isPlannedEnd(error);
}
