/** Results of checks. */
import { fulfilsWithin } from '@rhizome/retry';

/** OK: as it must be. WARN: works, but not as in production. FAIL: must be changed. */
export type CheckState = 'OK' | 'WARN' | 'FAIL';

/** Result of one check. */
export interface CheckRow {
  /** Part of the deployment, such as `mongodb` or the name of a database. */
  readonly part: string;
  readonly check: string;
  readonly state: CheckState;
  /** State of the deployment, in words. */
  readonly found: string;
  /** Advice; empty if there is nothing to do. */
  readonly cure: string;
}

/** Result without its part. */
export type Finding = Omit<CheckRow, 'part'>;

export const ok = (check: string, found: string): Finding => ({ check, state: 'OK', found, cure: '' });
export const warn = (check: string, found: string, cure: string): Finding => ({
  check,
  state: 'WARN',
  found,
  cure,
});
export const fail = (check: string, found: string, cure: string): Finding => ({
  check,
  state: 'FAIL',
  found,
  cure,
});

/** A check, and the name of its row when it cannot be made. */
export interface Check {
  readonly check: string;
  readonly run: () => Promise<Finding | readonly Finding[]>;
}

/** Longest time of one check, in milliseconds. */
const longestMs = 15_000;

/**
 * Runs checks of one part. A check that fails to run becomes a row, and the others still run.
 * @param cure what to do if a check cannot be made
 */
export async function runChecks(
  part: string,
  checks: readonly Check[],
  cure: string,
): Promise<readonly CheckRow[]> {
  const found = await Promise.all(
    checks.map(async ({ check, run }) => {
      try {
        return [await within(run())].flat();
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        return [fail(check, `cannot be checked: ${reason}`, cure)];
      }
    }),
  );
  return found.flat().map((one) => ({ part, ...one }));
}

/** @throws Error if the work takes longer than a check may */
async function within<T>(work: Promise<T>): Promise<T> {
  if (await fulfilsWithin(work, longestMs)) return work;
  throw new Error(`no answer within ${longestMs / 1000} s`);
}
