/** Access to workflows that are not sealed: only their submitters add nodes, which run as the owners. */
import { can, type Principal } from '@rhizome/authz';
import { maySeeWorkflow } from '../control/workflow-access.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import { ownershipOf } from '../../jobs/submit/ownership.js';
import type { UnsealedErrors } from './part-errors.js';

/**
 * The workflow if the principal may complete it; otherwise adds an error.
 * @throws DomainError FORBIDDEN if a service may no longer submit for others
 */
export function completable(
  errors: UnsealedErrors,
  principal: Principal,
  { id, workflow }: { readonly id: string; readonly workflow: WorkflowDocument | null },
): WorkflowDocument | undefined {
  if (!workflow || !maySeeWorkflow(principal, workflow)) {
    const text = `Workflow ${JSON.stringify(id.slice(0, 100))} not found, or you may not see it.`;
    errors.report('WORKFLOW_NOT_FOUND', ['workflowId'], text);
    return undefined;
  }
  const { experiment, owner, submittedBy = owner } = workflow;
  const isSubmitter = principal.subject === submittedBy;
  if (isSubmitter && can(principal, 'task:submit', experiment)) {
    ownershipOf(principal, experiment, owner);
    return workflow;
  }
  const why = isSubmitter ? `you may not task:submit in ${experiment}` : `${submittedBy} submitted it`;
  errors.report('FORBIDDEN', ['workflowId'], `You may not complete workflow "${id}": ${why}`);
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
