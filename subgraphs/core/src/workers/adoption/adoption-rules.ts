/** Pure rules for jobs that a worker holds under fences that core no longer assigns to it. */
import { isHeld, isWaiting, type JobState } from '../../jobs/model/job-state.js';
import type { StoredAttempt } from '../../jobs/model/job.types.js';
import { isResumable, payloadEnd } from '../../jobs/model/resumable-attempt.js';
import type { AdoptionChange, TransitionRequest } from '../../jobs/transitions/transition.types.js';
import type { AdoptableJob } from '../../scheduler/cache/scheduler-jobs.repository.js';
import type { HeldJob } from '../worker.types.js';

/** A worker that holds jobs, and the earlier workers whose attempts it may continue. */
export interface Holder {
  readonly workerId: string;
  readonly queueId: string;
  readonly queue: string;
  /** Actor of the transitions. */
  readonly actor: string;
  /** False for a caller other than the pilot of the worker. */
  readonly mayAdopt: boolean;
  /** True for earlier workers of the same pilot. */
  readonly continues: (workerId: string) => boolean;
}

/** Consequence for a job that a worker holds. */
export type AdoptionStep =
  | { readonly kind: 'keep' }
  | { readonly kind: 'adopted'; readonly newFence: number }
  | { readonly kind: 'adopt'; readonly attempt: StoredAttempt; readonly request: AdoptionRequest }
  | { readonly kind: 'kill' | 'drop'; readonly reason: string; readonly superseded?: StoredAttempt };

/** A transition that lacks its new fence. */
export type AdoptionRequest = Omit<TransitionRequest, 'change'> & {
  readonly adoption: Omit<AdoptionChange, 'fence'>;
};

/** Decides whether a worker may continue an attempt. */
export function planAdoption(
  holder: Holder,
  { id, fence }: HeldJob,
  job: AdoptableJob | undefined,
  now: Date,
): AdoptionStep {
  if (!job) return { kind: 'drop', reason: `Job ${JSON.stringify(id)} not found.` };
  if (job.workerId === holder.workerId && job.fence === fence && isHeld(job.state)) return { kind: 'keep' };
  const wasEnded = (job.state === 'CANCELLED' || job.state === 'CLOSED') && job.fence === fence + 1;
  if (wasEnded) return { kind: 'kill', reason: job.last.reason ?? `the job is ${job.state}` };
  const attempt = job.attempts.findLast((one) => one.fence === fence || one.earlierFence === fence);
  if (!attempt || (attempt.workerId !== holder.workerId && !holder.continues(attempt.workerId)))
    return { kind: 'drop', reason: 'the job no longer belongs to the worker' };
  if (isHeld(job.state) && job.fence === attempt.fence) {
    if (attempt.workerId === holder.workerId) return { kind: 'adopted', newFence: attempt.fence };
    const { state, queue = holder.queue, gpu } = job;
    return adopt(holder, job, attempt, { fence, state, queue, gpu });
  }
  return planReturn(holder, { id, fence }, { job, attempt, now });
}

/** The attempt was given away: it counts again unless another one has begun, or its time is over. */
function planReturn(
  holder: Holder,
  { fence }: HeldJob,
  { job, attempt, now }: { readonly job: AdoptableJob; readonly attempt: StoredAttempt; readonly now: Date },
): AdoptionStep {
  const { unreachable } = attempt;
  if (!unreachable) return { kind: 'drop', reason: 'the job no longer belongs to the worker' };
  const until = payloadEnd(attempt, unreachable.since);
  const superseded = attempt;
  if (until < now)
    return { kind: 'drop', reason: `the payload could run on until ${until.toISOString()}`, superseded };
  if (!isResumable(job, attempt)) {
    const reason =
      isHeld(job.state) || isWaiting(job.state) ? 'another attempt has begun' : `the job is ${job.state}`;
    return { kind: 'drop', reason, superseded };
  }
  return adopt(holder, job, attempt, { ...unreachable, fence });
}

/** State in which an attempt goes on, and the fence by which its worker names it. */
interface Resumed extends Pick<AdoptionChange, 'queue'> {
  readonly fence: number;
  readonly state: JobState;
  readonly gpu?: AdoptionChange['gpu'] | undefined;
}

function adopt(
  { workerId, queueId, actor, mayAdopt }: Holder,
  job: AdoptableJob,
  attempt: StoredAttempt,
  { fence, state, queue, gpu }: Resumed,
): AdoptionStep {
  if (!mayAdopt) return { kind: 'drop', reason: 'only the pilot that registered the worker may continue it' };
  return {
    kind: 'adopt',
    attempt,
    request: {
      jobId: job._id,
      from: job.state,
      // A worker that holds the job has received it: its payload is at least being prepared.
      to: state === 'SENT' ? 'STARTING' : state,
      by: 'adoption',
      actor,
      reason: reasonOf(workerId, job, attempt),
      fence: job.fence,
      adoption: {
        attempt: attempt.number,
        workerId,
        queueId,
        queue,
        // A worker names it until it has heard of the new one, however often it returns before.
        earlierFence: fence,
        ...(gpu ? { gpu } : {}),
      },
    },
  };
}

function reasonOf(workerId: string, job: AdoptableJob, { workerId: earlier, number }: StoredAttempt): string {
  if (earlier !== workerId) return `worker ${workerId} continues attempt ${number} of worker ${earlier}`;
  const grant = job.state === 'SENT' ? `; the grant to worker ${job.workerId ?? ''} is void` : '';
  return `worker ${workerId} returned and continues attempt ${number}${grant}`;
}
