/** Access to workflows that are not sealed: only their submitters add nodes, which run as the owners. */
import { can, type Principal } from '@rhizome/authz';
import { visible } from '../control/workflow-access.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import { longestUnsealedMs } from '../run/open-workflows.js';
import { ownershipOf } from '../../jobs/submit/ownership.js';
import type { UnsealedErrors } from './part-errors.js';

/**
 * The workflow if the principal may complete it; otherwise adds an error.
 * @throws DomainError FORBIDDEN if a service may no longer submit for others
 */
export function completable(
  errors: UnsealedErrors,
  principal: Principal,
  named: { readonly id: string; readonly workflow: WorkflowDocument | null },
): WorkflowDocument | undefined {
  const workflow = visible(errors, principal, named);
  if (!workflow) return undefined;
  const { experiment, owner, submittedBy = owner } = workflow;
  const isSubmitter = principal.subject === submittedBy;
  if (isSubmitter && can(principal, 'task:submit', experiment)) {
    ownershipOf(principal, experiment, owner);
    return workflow;
  }
  const why = isSubmitter ? `you may not task:submit in ${experiment}` : `${submittedBy} submitted it`;
  errors.report('FORBIDDEN', ['workflowId'], `You may not complete workflow "${named.id}": ${why}`);
  return undefined;
}

/** Adds an error unless parts may follow, or the workflow may be sealed. */
export function checkUnsealed(
  { _id, state, parts, isSealing }: WorkflowDocument,
  verb: string,
  errors: UnsealedErrors,
): void {
  if (state === 'OPEN' && parts && !isSealing) return;
  const now = state !== 'OPEN' ? state : parts ? 'being sealed' : 'being submitted whole';
  const text = `workflowId: workflow "${_id}" is ${now}; to ${verb}, it must be OPEN and submitted with isSealed: false`;
  errors.report('WORKFLOW_STATE_CONFLICT', ['workflowId'], text);
}

/** Adds an error for an unsealed workflow that is about to be cancelled: what it consists of expires soon. */
export function checkAge(
  { _id, createdAt }: WorkflowDocument,
  verb: string,
  { now, errors }: { readonly now: Date; readonly errors: UnsealedErrors },
): void {
  if (now.getTime() - createdAt.getTime() < longestUnsealedMs) return;
  const text = `workflowId: workflow "${_id}" was submitted on ${createdAt.toISOString()}; to ${verb}, it must be less than seven days old`;
  errors.report('WORKFLOW_STATE_CONFLICT', ['workflowId'], text);
}
