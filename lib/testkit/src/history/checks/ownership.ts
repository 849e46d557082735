/** Checks of attempts, their fences and their workers. */
import { isPlannedEnd, isUncounted, mostUncountedAttempts } from '@rhizome/errors';
import type { Fact, History, StoredJob } from '../history.types.js';
import { heldStates, isAdoption } from '../job-table.js';
import { stepsOf } from './transitions.js';

/** A job has one open attempt while a worker has it, and none otherwise. */
export function* oneOpenAttempt({ jobs }: History): Generator<Fact> {
  for (const job of jobs.values()) {
    const { _id, state, attempts } = job;
    const open = attempts.filter(({ endedAt }) => endedAt === undefined);
    const due = heldStates.has(state) ? 1 : 0;
    if (open.length !== due)
      yield `job ${_id} is ${state} and has ${open.length} open attempts; must be ${due}`;
    yield* attemptsInOrder(job);
    const current = attempts.at(-1);
    if (due === 0 || !current) continue;
    if (current.endedAt) yield `job ${_id} is ${state}, but its last attempt has ended`;
    if (current.workerId !== job.workerId)
      yield `job ${_id} is ${state} at worker ${job.workerId}; its attempt is at ${current.workerId}`;
    if (current.fence !== job.fence)
      yield `job ${_id} is ${state} under fence ${job.fence}; its attempt has ${current.fence}`;
  }
}

function* attemptsInOrder({ _id, attempt, attempts }: StoredJob): Generator<Fact> {
  const first = attempt - attempts.length + 1;
  for (const [index, { number, fence }] of attempts.entries()) {
    if (number !== first + index) yield `job ${_id} lists attempt ${number}; must be ${first + index}`;
    const earlier = attempts[index - 1];
    if (earlier && earlier.fence >= fence)
      yield `attempt ${number} of job ${_id} has fence ${fence}; the one before has ${earlier.fence}`;
  }
}

/**
 * Fences of a job never fall; a grant, an adoption, and an end that no worker reports increase them.
 */
export function* fencesRise({ logs }: History): Generator<Fact> {
  for (const { jobId, event, before } of stepsOf({ logs })) {
    if (!before) {
      if (event.fence !== 0) yield `job ${jobId} was submitted with fence ${event.fence}`;
      continue;
    }
    const risen = event.fence - before.fence;
    const step = `from ${before.to} to ${event.to}`;
    if (risen < 0) yield `the fence of job ${jobId} fell ${step}: ${before.fence} to ${event.fence}`;
    const mustRise =
      event.to === 'SENT' ||
      event.to === 'CANCELLED' ||
      event.to === 'CLOSED' ||
      (heldStates.has(before.to) && !heldStates.has(event.to) && event.actor.startsWith('system:'));
    if (mustRise && risen === 0) yield `job ${jobId} went ${step} and kept fence ${event.fence}`;
  }
}

/** No two grants have one fence, and none has a fence that is still to be allocated. */
export function* fencesAreUnique({ logs, jobs, nextFence }: History): Generator<Fact> {
  const owners = new Map<number, string>();
  const taken = function* (jobId: string, fence: number): Generator<Fact> {
    const owner = owners.get(fence);
    if (owner !== undefined && owner !== jobId) yield `jobs ${owner} and ${jobId} have one fence: ${fence}`;
    owners.set(fence, jobId);
    if (nextFence !== undefined && fence >= nextFence)
      yield `job ${jobId} has fence ${fence}; the next one to allocate is ${nextFence}`;
  };
  for (const { jobId, event, before } of stepsOf({ logs })) {
    const isNew = event.fence !== before?.fence && heldStates.has(event.to);
    if (isNew) yield* taken(jobId, event.fence);
  }
  for (const { _id, attempts } of jobs.values())
    for (const { fence, earlierFence } of attempts) {
      yield* taken(_id, fence);
      if (earlierFence !== undefined) yield* taken(_id, earlierFence);
    }
}

/** The worker of a job changes only by a grant or an adoption. */
export function* workersChangeByGrants({ logs }: History): Generator<Fact> {
  for (const { jobId, event, before } of stepsOf({ logs })) {
    if (!before) continue;
    const isNew = event.fence !== before.fence;
    if (event.to === 'SENT' && !event.actor.startsWith('system:'))
      yield `job ${jobId} was sent to worker ${event.workerId} by ${event.actor}`;
    if (event.to === 'SENT' || isAdoption(before.to, event.to, isNew)) continue;
    if (event.workerId !== before.workerId)
      yield `job ${jobId} moved from worker ${before.workerId} to ${event.workerId} with ${event.to}`;
  }
}

/**
 * An adopted attempt has the highest fence of its job, and keeps its number: the grant that it replaces does
 * not count as an attempt.
 */
export function* adoptionsCostNothing({ logs, jobs }: History): Generator<Fact> {
  for (const { jobId, event, before } of stepsOf({ logs })) {
    if (!before) continue;
    const isNew = event.fence !== before.fence;
    const { attempt, fence } = event;
    if (event.to === 'SENT') {
      if (attempt !== before.attempt + 1)
        yield `job ${jobId} was sent as attempt ${attempt} after ${before.attempt}`;
    } else if (isAdoption(before.to, event.to, isNew)) {
      if (attempt > before.attempt || attempt < 1)
        yield `job ${jobId} was adopted as attempt ${attempt}; it had ${before.attempt}`;
      if (fence <= before.fence)
        yield `job ${jobId} was adopted with fence ${fence}; it had ${before.fence} before`;
    } else if (attempt !== before.attempt)
      yield `job ${jobId} went to ${event.to} as attempt ${attempt} after ${before.attempt}`;
  }
  for (const { _id, attempts } of jobs.values())
    for (const { number, fence, earlierFence } of attempts)
      if (earlierFence !== undefined && earlierFence >= fence)
        yield `attempt ${number} of job ${_id} was adopted with fence ${fence}; it had ${earlierFence} before`;
}

/** An attempt is given up as unreachable only when it ended, and is either that or superseded. */
export function* unreachableAttemptsHaveEnded({ jobs }: History): Generator<Fact> {
  for (const { _id, attempts } of jobs.values())
    for (const { number, unreachable, lostSeconds, endedAt } of attempts) {
      if ((unreachable ?? lostSeconds) !== undefined && !endedAt)
        yield `attempt ${number} of job ${_id} was given away and has not ended`;
      if (unreachable && lostSeconds !== undefined)
        yield `attempt ${number} of job ${_id} is superseded, and may still return`;
    }
}

/** The end of a job by a principal or by the system voids the word of its worker. */
export function* endsVoidFences({ jobs }: History): Generator<Fact> {
  for (const { _id, state, fence, attempts, stateTimes } of jobs.values()) {
    if (state !== 'CANCELLED' && state !== 'CLOSED') continue;
    const valid = attempts.find((one) => one.fence >= fence);
    if (valid) yield `job ${_id} is ${state}, and attempt ${valid.number} still has its fence ${fence}`;
    const ended = stateTimes[state];
    const later = attempts.find(({ startedAt }) => ended && startedAt && startedAt > ended);
    if (later) yield `attempt ${later.number} of job ${_id} started after the job was ${state}`;
  }
}

/** True for a failed attempt that Rhizome or the site lost, or by which a host was tested. */
function isFree({ error, uncounted }: StoredJob['attempts'][number]): boolean {
  if (!error || isPlannedEnd(error)) return false;
  return uncounted !== undefined || isUncounted(error);
}

/** Most attempts of a job, whatever a rule allows. */
const mostAttempts = 20;

function isByRule(attempt: StoredJob['attempts'][number] | undefined, outcome: string): boolean {
  return attempt?.decision?.rule !== undefined && attempt.decision.outcome === outcome;
}

/**
 * A job fails only when its attempts are used up, or a rule of a policy says so; attempts that Rhizome or the
 * site lost do not count, whatever rules say. A rule may allow more attempts.
 */
export function* attemptsAreCharged({ jobs }: History): Generator<Fact> {
  for (const job of jobs.values()) {
    const { _id, state, retry, attempt, attempts, plannedEnds = 0, uncountedEnds: free = 0 } = job;
    const used = attempt - plannedEnds - Math.min(free, mostUncountedAttempts);
    const planned = attempts.filter(({ error }) => error && isPlannedEnd(error)).length;
    // Older attempts are not listed.
    const older = attempt - attempts.length;
    if (plannedEnds < planned || plannedEnds > planned + older)
      yield `job ${_id} counts ${plannedEnds} attempts that ended as planned; it lists ${planned}`;
    const listed = attempts.filter(isFree).length;
    if (free < listed || free > listed + older)
      yield `job ${_id} counts ${free} attempts that cost none; it lists ${listed}`;
    for (const { number, error, preemption } of attempts)
      if (error?.code === 'PREEMPTED' && !preemption)
        yield `attempt ${number} of job ${_id} ended for another job, which was never announced`;
    const most = attempts.some((one) => isByRule(one, 'RETRY')) ? mostAttempts : retry.maxAttempts;
    if (used > most) yield `job ${_id} has used ${used} of ${most} attempts`;
    const last = attempts.at(-1);
    const error = last?.error;
    if (state !== 'FAILED' || !error) continue;
    const costsNone = isPlannedEnd(error) || (isFree(last) && free <= mostUncountedAttempts);
    if (costsNone) yield `job ${_id} FAILED with ${error.code}, which costs no attempt`;
    else if (isByRule(last, 'FAIL')) continue;
    else if (error.retryable && retry.retryOn.includes(error.family) && used < retry.maxAttempts)
      yield `job ${_id} FAILED with ${error.code} after ${used} of ${retry.maxAttempts} attempts`;
  }
}
