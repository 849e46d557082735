/** Retries of workflows: the permission, the checks of the input, and the nodes of core that run again. */
import { can, owns, type Principal } from '@rhizome/authz';
import { ExperimentInputErrors, type InputFault, type RetryRequest } from '@rhizome/experiment';
import type { QuantaRepository } from './quanta.repository.js';
import type { RetryRubinWorkflowInput } from './types.generated.js';
import type { WorkflowDocument } from './workflow.document.js';

/** Codes of a retry besides those of core. */
export type RetryCode = 'WORKFLOW_NOT_FOUND' | 'FORBIDDEN' | 'QUANTUM_NOT_FOUND' | 'WORKFLOW_STATE_CONFLICT';

/** A retry in the words of core, or why there is none. */
export type CheckedRetry =
  | { readonly request: RetryRequest }
  | { readonly faults: readonly InputFault<'INVALID_VALUE' | RetryCode>[] };

/** Quanta that a call names at most. */
const maxNamed = 1000;

/** Checks a retry. @param workflow that it names, or null */
export async function checkRetry(
  input: RetryRubinWorkflowInput,
  workflow: WorkflowDocument | null,
  principal: Principal,
  quanta: Pick<QuantaRepository, 'named'>,
): Promise<CheckedRetry> {
  const check = new ExperimentInputErrors<RetryCode>();
  const { workflowId, idempotencyKey, memoryFactor, memoryMiB } = input;
  check.text(['idempotencyKey'], idempotencyKey, 1, 200);
  check.number(['memoryFactor'], memoryFactor, { min: 0.01, max: 100 });
  check.int(['memoryMiB'], memoryMiB, 1, 16_777_216);
  if (memoryFactor != null && memoryMiB != null)
    check.add(['memoryMiB'], memoryMiB, 'absent if there is a `memoryFactor`');
  if (input.quanta) {
    check.list(['quanta'], input.quanta, maxNamed, 1);
    check.distinct(['quanta'], input.quanta.slice(0, maxNamed));
  }
  if (!workflow) {
    const text = `workflowId: workflow ${JSON.stringify(workflowId.slice(0, 100))} not found`;
    check.report('WORKFLOW_NOT_FOUND', ['workflowId'], text);
  } else if (!mayRetry(principal, workflow)) {
    const text = `workflowId: you may not retry workflow "${workflow._id}": it belongs to ${workflow.submittedBy}`;
    check.report('FORBIDDEN', ['workflowId'], text);
  } else if (workflow.workflowId === undefined) {
    const why = workflow.taskId === undefined ? 'core does not have it yet' : 'core runs it as a task';
    check.report('WORKFLOW_STATE_CONFLICT', ['workflowId'], `workflowId: ${why}`);
  }
  if (!check.isEmpty || !workflow) return { faults: check.faults };
  const nodes = input.quanta && (await nodesOf(workflow, input.quanta, quanta, check));
  if (!check.isEmpty) return { faults: check.faults };
  const memory =
    memoryFactor != null ? { factor: memoryFactor } : memoryMiB != null ? { memoryMiB } : undefined;
  return {
    request: {
      ...{ subject: principal.subject, idempotencyKey },
      ...(nodes ? { nodes } : {}),
      ...(memory ? { requirements: { memory } } : {}),
    },
  };
}

function mayRetry(principal: Principal, { submittedBy }: WorkflowDocument): boolean {
  return owns(principal, submittedBy) || can(principal, 'job:manageAny', 'rubin');
}

/** Names of the nodes that run quanta. */
async function nodesOf(
  { _id, totalQuanta }: WorkflowDocument,
  names: readonly string[],
  quanta: Pick<QuantaRepository, 'named'>,
  check: ExperimentInputErrors<RetryCode>,
): Promise<readonly string[]> {
  const found = await quanta.named(_id, totalQuanta, names);
  const byName = new Map(found.map((quantum) => [quantum.name, quantum]));
  names.forEach((name, index) => {
    if (byName.has(name)) return;
    const text = `quanta.${index}: the workflow has no quantum ${JSON.stringify(name.slice(0, 200))}`;
    check.report('QUANTUM_NOT_FOUND', ['quanta', index], text);
  });
  return [...new Set(found.map(({ cluster, name }) => cluster ?? name))];
}
