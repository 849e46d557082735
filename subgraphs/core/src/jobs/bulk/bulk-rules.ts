/** What each change of jobs asks of a job, as pure rules: the transition to write, or why the job is left alone. */
import { can, createPrincipal, type CoreAction, type Principal } from '@rhizome/authz';
import { isTerminal, waitingStates, type JobState } from '../model/job-state.js';
import type { JobDocument } from '../model/job.types.js';
import type { BulkJob, BulkKind, BulkRefusal, BulkRequester } from './bulk.types.js';
import type { TransitionRequest } from '../transitions/transition.types.js';

/** What the rules read of a job. */
export type BulkView = Pick<
  JobDocument,
  | '_id'
  | 'state'
  | 'experiment'
  | 'owner'
  | 'submittedBy'
  | 'hold'
  | 'waitingFor'
  | 'notBefore'
  | 'priority'
  | 'transitions'
>;

/** What says whose a job is. */
type Belonging = Pick<JobDocument, 'experiment' | 'owner' | 'submittedBy'>;

/** Fields of {@link BulkView}. */
export const bulkProjection = {
  state: 1,
  experiment: 1,
  owner: 1,
  submittedBy: 1,
  hold: 1,
  waitingFor: 1,
  notBefore: 1,
  priority: 1,
  'transitions.operation': 1,
} as const;

const actions: Readonly<Record<BulkKind, CoreAction>> = {
  CANCEL: 'job:cancel',
  RETRY: 'job:retry',
  HOLD: 'job:hold',
  RELEASE: 'job:hold',
  SET_PRIORITY: 'job:setPriority',
};

/** The permission that a change needs. */
function actionOf(kind: BulkKind): CoreAction {
  return actions[kind];
}

/** The principal in whose name a recorded change goes on, with the permissions it had when it asked. */
export function principalOf({ kind, subject, grants }: BulkRequester, now: Date): Principal {
  return createPrincipal({ kind, subject, grants, expiresAt: now });
}

/** Whether the principal may change the job: its own, and what it submitted for others, with the permission; others' with `job:manageAny` beside. */
export function mayChange(principal: Principal, action: CoreAction, job: Belonging): boolean {
  if (!can(principal, action, job.experiment)) return false;
  const isOwn = job.owner === principal.subject || job.submittedBy === principal.subject;
  return isOwn || can(principal, 'job:manageAny', job.experiment);
}

/** Why a job that the caller may not see or change is left alone; undefined where it may. */
export function refusalFor(
  principal: Principal,
  kind: BulkKind,
  jobId: string,
  job: Belonging | undefined,
): BulkRefusal | undefined {
  if (!job || !can(principal, 'job:read', job.experiment)) {
    return { jobId, code: 'JOB_NOT_FOUND', message: `job ${jobId} does not exist, or you may not see it` };
  }
  const action = actionOf(kind);
  if (mayChange(principal, action, job)) return undefined;
  const whose = can(principal, action, job.experiment)
    ? `it belongs to ${job.owner}`
    : `you may not ${action} in ${job.experiment}`;
  return { jobId, code: 'FORBIDDEN', message: `job ${jobId} is not yours to change: ${whose}` };
}

/** The transition that the change makes of the job as it is now, or why it is left alone. */
export function requestFor(
  bulk: BulkJob,
  job: BulkView,
  now: Date,
): TransitionRequest | BulkRefusal | 'done' {
  const { kind, parameters, requester, operationId } = bulk;
  const base = {
    jobId: job._id,
    from: job.state,
    by: 'principal' as const,
    actor: requester.subject,
    ...(parameters.reason ? { reason: parameters.reason } : {}),
    ...(operationId === undefined ? {} : { operation: operationId }),
  };
  if (isMarked(bulk, job)) return 'done';
  switch (kind) {
    case 'CANCEL':
      return isTerminal(job.state)
        ? conflict(job, 'only a job that has not ended can be cancelled')
        : { ...base, to: 'CANCELLED' };
    case 'HOLD':
      if (!isWaiting(job.state)) return conflict(job, 'only a job that has not been sent can be held');
      if (job.hold) return conflict(job, `it is held already, by ${job.hold.by}`);
      return {
        ...base,
        to: 'PENDING',
        change: { hold: { by: requester.subject, reason: parameters.reason ?? '' } },
      };
    case 'RELEASE':
      if (!job.hold || job.state !== 'PENDING') return conflict(job, 'only a held job can be released');
      return { ...base, to: isReady(job, now) ? 'ACTIVATED' : 'PENDING', change: { hold: null } };
    case 'SET_PRIORITY':
      if (!isWaiting(job.state)) return conflict(job, 'the priority of a job counts only until it is sent');
      if (job.priority === parameters.priority) return 'done';
      return {
        ...base,
        to: job.state,
        reason: `priority ${job.priority} to ${parameters.priority ?? 0}`,
        change: { priority: parameters.priority ?? 0 },
      };
    case 'RETRY':
      throw new Error('a retry makes new jobs and no transition');
  }
}

/** Whether the operation has changed the job already. */
function isMarked({ isResumed, operationId }: BulkJob, job: Pick<BulkView, 'transitions'>): boolean {
  return (
    isResumed &&
    operationId !== undefined &&
    job.transitions.some(({ operation }) => operation === operationId)
  );
}

/** Why a job's state does not allow the change. */
export function conflict(job: { readonly _id: string; readonly state: JobState }, why: string): BulkRefusal {
  return { jobId: job._id, code: 'JOB_STATE_CONFLICT', message: `job ${job._id} is ${job.state}: ${why}` };
}

function isWaiting(state: JobState): boolean {
  return (waitingStates as readonly JobState[]).includes(state);
}

function isReady({ waitingFor, notBefore }: BulkView, now: Date): boolean {
  return waitingFor.length === 0 && (notBefore === undefined || notBefore <= now);
}
