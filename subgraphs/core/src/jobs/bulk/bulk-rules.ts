/**
 * Pure rules of bulk changes: the transition to write for a job, or the reason why the job is not changed.
 */
import {
  can,
  createPrincipal,
  type CoreAction,
  type CurrentRights,
  owns,
  type Principal,
  withCurrentRights,
} from '@rhizome/authz';
import { isTerminal, isWaiting, type JobState } from '../model/job-state.js';
import type { JobDocument } from '../model/job.types.js';
import type { JobAccess } from '../ports.js';
import type { BulkJob, BulkKind, BulkRefusal, BulkRequester } from './bulk.types.js';
import type { TransitionRequest } from '../transitions/transition.types.js';

/** Fields of a job that the rules read. */
export type BulkView = Pick<
  JobDocument,
  | '_id'
  | 'state'
  | 'experiment'
  | 'owner'
  | 'submittedBy'
  | 'taskId'
  | 'share'
  | 'hold'
  | 'waitingFor'
  | 'notBefore'
  | 'priority'
  | 'transitions'
>;

/** Fields that determine the owner of a job. */
type Belonging = Pick<JobDocument, '_id' | 'experiment' | 'owner' | 'submittedBy' | 'taskId' | 'share'>;

/** Fields of {@link BulkView}. */
export const bulkProjection = {
  state: 1,
  experiment: 1,
  owner: 1,
  submittedBy: 1,
  taskId: 1,
  share: 1,
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

/** Permission that a change needs. */
function actionOf(kind: BulkKind): CoreAction {
  return actions[kind];
}

/**
 * Facts of a principal that a change continues with. The end of its token does not end the change; that of
 * an elevation takes its roles.
 */
export function requesterOf(principal: Principal): BulkRequester {
  const { kind, subject, grants, boundedBy, actions, issuer, tokenId, issuedAt } = principal;
  const { elevation, groups, linked } = principal;
  return {
    ...{ kind, subject, grants },
    ...(boundedBy && { boundedBy }),
    ...(actions && { actions }),
    ...(issuer !== undefined && { issuer }),
    ...(tokenId !== undefined && { tokenId }),
    ...(issuedAt && { issuedAt }),
    ...(elevation && { elevation }),
    ...(groups && { groups }),
    ...(linked && { linked }),
  };
}

/**
 * Principal of a change with the rights that it has now, checked for each batch. Undefined if it was revoked
 * since the call.
 * @throws DomainError SERVICE_UNAVAILABLE if the rights cannot be learned
 */
export function principalOf(
  { requester, createdAt }: Pick<BulkJob, 'requester' | 'createdAt'>,
  rights: CurrentRights,
  now: Date,
): Promise<Principal | undefined> {
  return withCurrentRights(createPrincipal({ ...requester, expiresAt: now }), rights, now, createdAt);
}

/**
 * Returns true if the principal may change the job. Its own jobs, and the jobs that it submitted for others,
 * need the permission; jobs of others need `job:manageAny`, or an access that was granted, as well.
 */
export function mayChange(
  principal: Principal,
  action: CoreAction,
  job: Belonging,
  access: JobAccess,
): boolean {
  if (!can(principal, action, job.experiment)) return false;
  if (isOwn(principal, job) || can(principal, 'job:manageAny', job.experiment)) return true;
  return access.allows(principal, job, 'MANAGE');
}

/** Returns true if the principal owns the job, or submitted it for its owner. */
export function isOwn(principal: Principal, { owner, submittedBy }: Belonging): boolean {
  return owns(principal, owner) || owns(principal, submittedBy);
}

/** Reason why the caller may not see or change a job; undefined if it may. */
export function refusalFor(
  principal: Principal | undefined,
  kind: BulkKind,
  jobId: string,
  job: Belonging | undefined,
  access: JobAccess,
): BulkRefusal | undefined {
  if (!principal) return { jobId, code: 'FORBIDDEN', message: `You may no longer change job "${jobId}"` };
  if (!job || !can(principal, 'job:read', job.experiment)) {
    return { jobId, code: 'JOB_NOT_FOUND', message: `Job "${jobId}" not found, or you may not see it.` };
  }
  const action = actionOf(kind);
  if (mayChange(principal, action, job, access)) return undefined;
  const whose = can(principal, action, job.experiment)
    ? `it belongs to ${job.owner}`
    : `you may not ${action} in ${job.experiment}`;
  return { jobId, code: 'FORBIDDEN', message: `You may not change job "${jobId}": ${whose}` };
}

/**
 * Transition that applies the change to the job in its current state, or the reason why the job is not
 * changed.
 */
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
      if (job.hold) return conflict(job, `it is already held by ${job.hold.by}`);
      return {
        ...base,
        to: 'PENDING',
        change: { hold: { by: requester.subject, reason: parameters.reason ?? '' } },
      };
    case 'RELEASE':
      if (!job.hold || job.state !== 'PENDING') return conflict(job, 'only a held job can be released');
      return { ...base, to: isReady(job, now) ? 'ACTIVATED' : 'PENDING', change: { hold: null } };
    case 'SET_PRIORITY':
      if (!isWaiting(job.state))
        return conflict(job, 'the priority of a job can change only until it is sent');
      if (job.priority === parameters.priority) return 'done';
      return {
        ...base,
        to: job.state,
        reason: `priority ${job.priority} to ${parameters.priority ?? 0}`,
        change: { priority: parameters.priority ?? 0 },
      };
    case 'RETRY':
      throw new Error('a retry creates new jobs and no transition');
  }
}

/** Returns true if the operation has already changed the job. */
function isMarked({ isResumed, operationId }: BulkJob, job: Pick<BulkView, 'transitions'>): boolean {
  return (
    isResumed &&
    operationId !== undefined &&
    job.transitions.some(({ operation }) => operation === operationId)
  );
}

/** Refusal because of the job's state. */
export function conflict(job: { readonly _id: string; readonly state: JobState }, why: string): BulkRefusal {
  return { jobId: job._id, code: 'JOB_STATE_CONFLICT', message: `Job "${job._id}" is ${job.state}: ${why}` };
}

function isReady({ waitingFor, notBefore }: BulkView, now: Date): boolean {
  return waitingFor.length === 0 && (notBefore === undefined || notBefore <= now);
}
