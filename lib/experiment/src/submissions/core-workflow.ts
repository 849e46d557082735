/** Submits a submission to core as one workflow, in parts if it is large. */
import type { ApiClient } from '@rhizome/client';
import {
  ExperimentAppendNodesDocument,
  ExperimentCancelWorkflowDocument,
  ExperimentSealWorkflowDocument,
  ExperimentSubmitWorkflowDocument,
  ExperimentWorkflowsNamedDocument,
  type ExperimentWorkflowsNamedQuery,
  type ExperimentWorkflowsNamedQueryVariables,
  type SubmitWorkflowInput,
  type WorkflowNodeInput,
} from '../operations.generated.js';
import { asked, attemptOptions, type CoreSubmitOptions, inOwnTerms, workOfLabel } from './core-task.js';
import type { CoreAnswer } from './core-task.js';
import type { SubmissionDocument } from './submission.document.js';

/** Workflow of a submission. The experiment, the key, the owner and the label of the submission are added. */
export type CoreWorkflow = Omit<
  SubmitWorkflowInput,
  'experiment' | 'idempotencyKey' | 'onBehalfOf' | 'isSealed'
>;

/** A node of a workflow. */
export type CoreNode = WorkflowNodeInput;

interface Fault {
  readonly message: string;
  readonly path: readonly string[];
  readonly code: string;
}

/** Nodes of one call at most; core takes 5000. */
const maxPartNodes = 2500;
/** JSON of the nodes of one call at most, in characters; core takes 16 MiB of payloads. */
const maxPartLength = 4_000_000;

/**
 * Submits the workflow of a submission under a key that is derived from the submission, and its parts under
 * their numbers. Each call may be repeated, so after a crash all of it is repeated, and gives one workflow.
 * If core refuses a part, the workflow is cancelled before the answer. If core cancelled an earlier one
 * because no part came for long, the submission begins again under the next key.
 * @param attempt number of the beginning, from 1
 * @throws DomainError SERVICE_UNAVAILABLE if core does not respond, FORBIDDEN if the experiment's token may
 *   not submit
 */
export async function submitWorkflowToCore(
  options: CoreSubmitOptions,
  { _id: id, submittedBy }: Pick<SubmissionDocument, '_id' | 'submittedBy'>,
  submitted: CoreWorkflow,
  attempt = 1,
): Promise<CoreAnswer> {
  const { core, experiment, label } = options;
  const { nodes, ...beginning } = submitted;
  const parts = partsOf(nodes);
  const isSealed = parts.length === 1;
  const input = {
    ...beginning,
    nodes: isSealed ? nodes : [],
    isSealed,
    labels: [...(beginning.labels ?? []), { key: label, value: id }],
    ...{ experiment, idempotencyKey: attempt === 1 ? id : `${id}/${attempt}`, onBehalfOf: submittedBy },
  };
  const { submitWorkflow } = await asked(() =>
    core.mutate(ExperimentSubmitWorkflowDocument, { input }, { idempotent: true, ...attemptOptions }),
  );
  const { workflow, userErrors } = submitWorkflow;
  if (!workflow) {
    if (!userErrors.some(({ code }) => code === 'IDEMPOTENCY_KEY_REUSED'))
      return refused(userErrors, options);
    const known = await knownWorkflow(options, id, beginning.name);
    if (known !== 'EXPIRED') return known;
    return attempt < maxAttempts
      ? submitWorkflowToCore(options, { _id: id, submittedBy }, submitted, attempt + 1)
      : refused([cancelled], options);
  }
  if (workflow.state !== 'OPEN') return { workflowId: workflow.id };
  let from = 0;
  for (const [at, part] of parts.entries()) {
    const faults = await append(core, { workflowId: workflow.id, part: at + 1, nodes: part });
    if (faults.length > 0) return withdrawn(options, workflow.id, faults, from);
    from += part.length;
  }
  const faults = await seal(core, workflow.id);
  return faults.length === 0 ? { workflowId: workflow.id } : withdrawn(options, workflow.id, faults, 0);
}

/**
 * Finds the workflow that core has for the key of a submission and does not return: it was cancelled before
 * it was sealed, or an earlier version of the experiment described it otherwise.
 */
async function knownWorkflow(
  options: CoreSubmitOptions,
  id: string,
  name: string,
): Promise<CoreAnswer | 'EXPIRED'> {
  const own = await workflowsOf(options, id, name);
  const sealed = own.find(({ sealedAt }) => sealedAt !== null);
  if (sealed) return { workflowId: sealed.id };
  const [found] = own;
  if (found?.state !== 'CANCELLED') return workOfLabel(options, id);
  return found.cancellation?.by.subject === cleaner ? 'EXPIRED' : refused([cancelled], options);
}

/**
 * Workflows of core with the label of a submission, the newest first. Any number of others may have their
 * name; what is older than the page with the first of them was given up for it.
 */
async function workflowsOf(
  { core, experiment, label }: CoreSubmitOptions,
  id: string,
  name: string,
): Promise<ExperimentWorkflowsNamedQuery['workflows']['nodes']> {
  let after: string | null = null;
  do {
    const variables: ExperimentWorkflowsNamedQueryVariables = { experiment, name, after };
    const { workflows } = await asked(() =>
      core.query(ExperimentWorkflowsNamedDocument, variables, attemptOptions),
    );
    const { nodes, pageInfo } = workflows;
    const own = nodes.filter(({ labels }) => labels.some(({ key, value }) => key === label && value === id));
    if (own.length > 0) return own;
    after = pageInfo.hasNextPage ? (pageInfo.endCursor ?? null) : null;
  } while (after !== null);
  return [];
}

/** The part of core that cancels workflows whose parts do not come. */
const cleaner = 'system:workflows';
/** Beginnings of a workflow at most. */
const maxAttempts = 20;

/** A part was refused before a crash, or someone cancelled it. */
const cancelled: Fault = {
  message: 'the workflow was cancelled before all of it was stored; submit it again',
  path: [],
  code: 'WORKFLOW_STATE_CONFLICT',
};

/** Nodes in parts that one call takes. */
export function partsOf(nodes: readonly CoreNode[]): readonly (readonly CoreNode[])[] {
  const parts: CoreNode[][] = [];
  let part: CoreNode[] = [];
  let length = 0;
  for (const node of nodes) {
    const own = JSON.stringify(node).length;
    if (part.length === maxPartNodes || (part.length > 0 && length + own > maxPartLength)) {
      parts.push(part);
      part = [];
      length = 0;
    }
    part.push(node);
    length += own;
  }
  return [...parts, part];
}

async function append(
  core: ApiClient,
  input: { readonly workflowId: string; readonly part: number; readonly nodes: readonly CoreNode[] },
): Promise<readonly Fault[]> {
  const variables = { input: { ...input, nodes: [...input.nodes] } };
  const { appendWorkflowNodes } = await asked(() =>
    core.mutate(ExperimentAppendNodesDocument, variables, { idempotent: true, ...attemptOptions }),
  );
  return appendWorkflowNodes.userErrors;
}

async function seal(core: ApiClient, workflowId: string): Promise<readonly Fault[]> {
  const variables = { input: { workflowId } };
  const { sealWorkflow } = await asked(() =>
    core.mutate(ExperimentSealWorkflowDocument, variables, { idempotent: true, ...sealOptions }),
  );
  return sealWorkflow.userErrors;
}

/** The seal checks the whole graph and writes its edges. */
const sealOptions = { ...attemptOptions, timeoutMs: 30_000 } as const;

/**
 * Cancels a workflow that core refused in part: its nodes must not count as live jobs until core drops it.
 * @param from position of the first node of the part
 */
async function withdrawn(
  options: CoreSubmitOptions,
  workflowId: string,
  faults: readonly Fault[],
  from: number,
): Promise<CoreAnswer> {
  const variables = { input: { workflowId, reason: 'The experiment withdrew it: a part was refused.' } };
  await asked(() =>
    options.core.mutate(ExperimentCancelWorkflowDocument, variables, { idempotent: true, ...attemptOptions }),
  );
  const whole = faults.map(({ path, ...fault }) => {
    const [first, position, ...rest] = path;
    const isNode = first === 'nodes' && position !== undefined && /^\d+$/.test(position);
    return { ...fault, path: isNode ? ['nodes', String(Number(position) + from), ...rest] : path };
  });
  return refused(whole, options);
}

function refused(faults: readonly Fault[], { pathRules }: CoreSubmitOptions): CoreAnswer {
  return { faults: faults.map((fault) => inOwnTerms(fault, pathRules)) };
}
