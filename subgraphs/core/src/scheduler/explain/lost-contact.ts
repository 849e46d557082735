/** Explains what the lost contact with workers means for a job. Pure. */
import { defaultContinuity } from '../../shared/continuity.js';
import { isHeld } from '../../jobs/model/job-state.js';
import type { StoredAttempt } from '../../jobs/model/job.types.js';
import { isResumable, payloadEnd } from '../../jobs/model/resumable-attempt.js';
import { decideAfterFailure } from '../../jobs/transitions/retry-policy.js';
import { leaseLost } from '../dispatch/requeue-grants.js';
import type { WaitingJob } from './pending.types.js';

/** A worker that is silent, and not unreachable, because the lease clock stands still. */
export interface Silence {
  readonly lastSeenAt: Date;
  /** Reason for which no worker is lost now. */
  readonly reason: string;
  /** Time at which postponed losses happen at the latest. */
  readonly until?: Date;
}

/** Facts about workers. */
export interface ContactFacts {
  /** End of the lease of a worker that is unreachable now. */
  readonly unreachableSince: (workerId: string) => Date | undefined;
  /** The silence of the worker that holds the job. */
  readonly silence?: Silence | undefined;
  readonly now: Date;
}

/**
 * Sentences about the worker that holds a job, if contact with it is lost or its lease does not end, and
 * about attempts that were given away and whose payloads may still run. Undefined if there is nothing to say.
 */
export function contactReason(job: WaitingJob, facts: ContactFacts): string | undefined {
  const holder = holderReason(job, facts) ?? silentReason(job, facts);
  const sentences = [holder, ...givenAwayReasons(job, facts)].filter((one) => one !== undefined);
  return sentences.length === 0 ? undefined : sentences.join(' ');
}

/** The worker that holds the job. */
function holderReason(job: WaitingJob, { unreachableSince }: ContactFacts): string | undefined {
  const attempt = job.attempts?.at(-1);
  const since = attempt && unreachableSince(attempt.workerId);
  if (!since || !isHeld(job.state)) return undefined;
  const lost = lostSince(attempt, since);
  return isLast(job, attempt.workerId, since)
    ? `${lost}; no attempt is left, so the job fails then.`
    : `${lost}; another worker gets the job at ${reassignedAt(attempt, since).toISOString()}.`;
}

function silentReason(job: WaitingJob, { silence }: ContactFacts): string | undefined {
  const attempt = job.attempts?.at(-1);
  if (!attempt || !silence || !isHeld(job.state)) return undefined;
  const { lastSeenAt, reason, until } = silence;
  const silent = `Worker ${attempt.workerId} has not reported since ${lastSeenAt.toISOString()}, and its lease does not end now: ${reason}`;
  return until ? `${silent}. It ends at ${until.toISOString()} at the latest.` : `${silent}.`;
}

/** Attempts that were given away, and whose workers are still silent. */
function givenAwayReasons(job: WaitingJob, { unreachableSince, now }: ContactFacts): readonly string[] {
  const { attempts = [], attempt: current = 0, state } = job;
  return attempts.flatMap((attempt) => {
    const { unreachable, workerId, number } = attempt;
    if (!unreachable || !unreachableSince(workerId)) return [];
    if (payloadEnd(attempt, unreachable.since) <= now) return [];
    const lost = lostSince(attempt, unreachable.since);
    return isResumable({ state, attempt: current, attempts }, attempt)
      ? `${lost}, and continues the job if it returns before another worker has begun it.`
      : `${lost}. That is attempt ${number}: it ends when its worker returns, because a later one has begun.`;
  });
}

function lostSince(attempt: StoredAttempt, since: Date): string {
  const until = payloadEnd(attempt, since).toISOString();
  return `Worker ${attempt.workerId} is unreachable since ${since.toISOString()}; its payload may run until ${until}`;
}

function reassignedAt({ continuity = defaultContinuity }: StoredAttempt, since: Date): Date {
  return new Date(since.getTime() + continuity.reassignAfterSeconds * 1000);
}

/** True if no attempt follows the loss of the worker. */
function isLast({ attempt = 0, retry, ...job }: WaitingJob, workerId: string, at: Date): boolean {
  if (!retry) return false;
  return decideAfterFailure({ ...job, attempt, retry }, leaseLost(workerId, ''), at).to === 'FAILED';
}
