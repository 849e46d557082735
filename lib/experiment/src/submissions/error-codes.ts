/**
 * The codes with which a submission is refused by this library and by core: each experiment's
 * `…UserErrorCode` has them.
 */

const codes = ['INVALID_VALUE', 'IDEMPOTENCY_KEY_REUSED', 'SHARE_NOT_FOUND', 'REFUSED_BY_CORE'] as const;

/** A code that every mutation of submissions may answer with. */
export type SubmissionErrorCode = (typeof codes)[number];

/**
 * The code of an experiment for a code of core: a newer core may have codes that the experiment's schema does
 * not.
 */
export function submissionCodeOf(code: string): SubmissionErrorCode {
  return codes.find((known) => known === code) ?? 'REFUSED_BY_CORE';
}
