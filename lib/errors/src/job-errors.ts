/** Codes of job errors that decide about the next attempt. Pure; the history checker uses the same list. */

/** The part of an attempt's error that decides about the next attempt. */
export interface DecidingError {
  readonly family: string;
  readonly code?: string;
  readonly retryable: boolean;
}

/** Side that ends attempts with a code. */
type Reporter = 'CORE' | 'PILOT';

/**
 * Errors of attempts that were lost through a fault of Rhizome itself or of the site, by code. The pilot is
 * part of Rhizome; a batch system that ends a pilot, or a drain, is the site's. Not in the list is
 * `LEASE_LOST`: a payload may have taken its host down.
 */
const uncounted: Readonly<Record<string, { readonly family: string; readonly from: Reporter }>> = {
  CONTACT_LOST: { family: 'WORKER', from: 'PILOT' },
  DRAINED: { family: 'WORKER', from: 'PILOT' },
  PILOT_FAULT: { family: 'WORKER', from: 'PILOT' },
  REPORT_REFUSED: { family: 'SYSTEM', from: 'PILOT' },
  GRANT_LOST: { family: 'WORKER', from: 'CORE' },
  JOB_LOST: { family: 'WORKER', from: 'CORE' },
  PILOT_RESTARTED: { family: 'WORKER', from: 'CORE' },
  WORKER_ENDED: { family: 'WORKER', from: 'CORE' },
};

/** Family and code of an error of a job. */
export interface JobErrorKind {
  readonly family: string;
  readonly code: string;
}

/** Errors that cost no attempt if they are retryable. */
export const uncountedErrors: readonly JobErrorKind[] = Object.entries(uncounted).map(
  ([code, { family }]) => ({ family, code }),
);

/** Codes of errors that cost no attempt. */
export const uncountedJobErrors: readonly string[] = Object.keys(uncounted);

/**
 * Codes with which only core ends attempts: they state what core knows and the pilot does not. A pilot that
 * reported them could repeat a job that failed, or pass its attempt off as one that never began.
 */
export const jobErrorsOfCore: readonly string[] = [
  ...uncountedJobErrors.filter((code) => uncounted[code]?.from === 'CORE'),
  'LEASE_LOST',
  'PREEMPTED',
];

/**
 * Most attempts of a job that do not count, in all. From the next one on they count, so that a job that ends
 * its pilots does not run without limit.
 */
export const mostUncountedAttempts = 10;

/** Errors of attempts that ended as planned, by code, with their families. They never count. */
const planned: Readonly<Record<string, string>> = { CHECKPOINTED: 'PAYLOAD', PREEMPTED: 'WORKER' };

/** Errors of attempts that ended as planned if they are retryable. */
export const plannedErrors: readonly JobErrorKind[] = Object.entries(planned).map(([code, family]) => ({
  family,
  code,
}));

/** Codes of errors of attempts that ended as planned. */
export const plannedJobEnds: readonly string[] = Object.keys(planned);

/**
 * True for the end of an attempt that was planned: the payload has saved its state after a notice, or core
 * has ended it for another job.
 */
export function isPlannedEnd({ family, code, retryable }: DecidingError): boolean {
  return retryable && code !== undefined && planned[code] === family;
}

/** True for the error of an attempt that does not count, up to {@link mostUncountedAttempts}. */
export function isUncounted({ family, code, retryable }: DecidingError): boolean {
  return retryable && code !== undefined && uncounted[code]?.family === family;
}
