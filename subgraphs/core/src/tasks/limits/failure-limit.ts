/** Limits of the failures of a task: their checks and their decision. Pure. */
import type { InputErrors, InputPath } from '@rhizome/errors';
import type { StateCounts } from '../../jobs/ports.js';
import { endedOf } from '../../jobs/model/job-state.js';
import type { EndedJobs, FailureLimitAction, StoredFailureLimit } from './failure-limit.types.js';

type Maybe<T> = T | null | undefined;

/** Limit as a caller describes it. */
export interface FailureLimitSpec {
  readonly maxFailedJobs?: Maybe<number>;
  readonly maxFailedFraction?: Maybe<number>;
  readonly minEndedJobs?: Maybe<number>;
  readonly action?: Maybe<FailureLimitAction>;
}

const fewJobs = 20;

/** Reports what is wrong with a limit. */
export function checkFailureLimit<C extends string>(
  limit: Maybe<FailureLimitSpec>,
  errors: InputErrors<C>,
  path: InputPath,
): void {
  if (!limit) return;
  const { maxFailedJobs, maxFailedFraction: fraction, minEndedJobs } = limit;
  errors.int([...path, 'maxFailedJobs'], maxFailedJobs, 0, 1_000_000);
  errors.int([...path, 'minEndedJobs'], minEndedJobs, 1, 1_000_000);
  errors.number([...path, 'maxFailedFraction'], fraction, { min: 0, max: 1 });
  if (maxFailedJobs == null && fraction == null)
    errors.add(path, 'no limit', 'an object with `maxFailedJobs`, `maxFailedFraction` or both');
}

/** A limit with its defaults. */
export function normaliseFailureLimit(limit: FailureLimitSpec): StoredFailureLimit {
  const { maxFailedJobs, maxFailedFraction, minEndedJobs, action } = limit;
  return {
    ...(maxFailedJobs == null ? {} : { maxFailedJobs }),
    ...(maxFailedFraction == null ? {} : { maxFailedFraction }),
    minEndedJobs: minEndedJobs ?? fewJobs,
    action: action ?? 'PAUSE',
  };
}

/** Ended jobs of these. */
export function endedJobsOf(states: StateCounts): EndedJobs {
  return { failed: states.FAILED ?? 0, ended: endedOf(states) };
}

/** Reason for the command, if the limit is exceeded; undefined otherwise. */
export function exceeded(limit: Omit<StoredFailureLimit, 'action'>, now: EndedJobs): string | undefined {
  const { maxFailedJobs, maxFailedFraction, minEndedJobs, from } = limit;
  // Jobs that had failed before the last command may be retried: their number may be smaller now.
  const failed = now.failed - Math.min(from?.failed ?? 0, now.failed);
  const ended = now.ended - Math.min(from?.ended ?? 0, now.ended);
  const since = from === undefined ? '' : ' since the last command';
  if (maxFailedJobs !== undefined && failed > maxFailedJobs)
    return `${failed} jobs failed${since}, more than ${maxFailedJobs}`;
  if (maxFailedFraction === undefined || ended < minEndedJobs || failed <= maxFailedFraction * ended)
    return undefined;
  return `${failed} of ${ended} jobs failed${since}, more than ${Math.round(maxFailedFraction * 100)} %`;
}
