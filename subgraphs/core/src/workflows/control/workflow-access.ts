/** Access of callers to workflows. */
import { can, type CoreAction, type Principal } from '@rhizome/authz';
import type { InputErrors } from '@rhizome/errors';
import { mayChange } from '../../jobs/bulk/bulk-rules.js';
import type { JobAccess } from '../../jobs/ports.js';
import type { WorkflowDocument } from '../model/workflow.document.js';

/** True if the principal may see the workflow. Payloads, which act by the token of an attempt, see none. */
export function maySeeWorkflow(
  principal: Principal,
  { experiment }: Pick<WorkflowDocument, 'experiment'>,
): boolean {
  return principal.attempt === undefined && can(principal, 'task:read', experiment);
}

/** Codes of workflows that may not be changed. */
export type WorkflowAccessCode = 'WORKFLOW_NOT_FOUND' | 'FORBIDDEN';

/** The workflow if the principal may see it; otherwise adds an error. */
export function visible(
  errors: Pick<InputErrors<WorkflowAccessCode>, 'report'>,
  principal: Principal,
  { id, workflow }: { readonly id: string; readonly workflow: WorkflowDocument | null },
): WorkflowDocument | undefined {
  if (workflow && maySeeWorkflow(principal, workflow)) return workflow;
  const text = `Workflow ${JSON.stringify(id.slice(0, 100))} not found, or you may not see it.`;
  errors.report('WORKFLOW_NOT_FOUND', ['workflowId'], text);
  return undefined;
}

/** The workflow if the principal may change it; otherwise adds an error. */
export function changeable(
  errors: Pick<InputErrors<WorkflowAccessCode>, 'report'>,
  principal: Principal,
  action: CoreAction,
  named: { readonly id: string; readonly workflow: WorkflowDocument | null },
  access: JobAccess,
): WorkflowDocument | undefined {
  const workflow = visible(errors, principal, named);
  if (!workflow) return undefined;
  if (mayChange(principal, action, workflow, access)) return workflow;
  const why = can(principal, action, workflow.experiment)
    ? `it belongs to ${workflow.owner}`
    : `you may not ${action} in ${workflow.experiment}`;
  errors.report('FORBIDDEN', ['workflowId'], `You may not change workflow "${named.id}": ${why}`);
  return undefined;
}
