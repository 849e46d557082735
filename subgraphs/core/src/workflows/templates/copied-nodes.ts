/** Checks nodes of another workflow that are copied: what held when they were submitted may hold no more. */
import type { Principal } from '@rhizome/authz';
import type { JobValueErrorCode } from '../../jobs/submit/job-input-error.types.js';
import type { NodeJobsRepository } from '../store/node-jobs.repository.js';
import type { NodeExaminerOptions, Owners } from '../submit/node-examiner.js';
import { closedDatasets, closedText, missingSecrets } from '../submit/named-values.js';
import { boundsOnce, exceededLimit, limitText } from '../submit/placement.js';
import { nodeText } from '../submit/workflow-input.js';

/** Dependencies of {@link problemOfCopies}. */
export interface CopiedNodesOptions extends Pick<
  NodeExaminerOptions,
  'experiments' | 'queues' | 'consents' | 'secrets'
> {
  readonly nodeJobs: Pick<NodeJobsRepository, 'kindsByLabel' | 'secrets' | 'firstDatasets'>;
}

/** Owner, experiment and submitter of the workflow that gets copies of the first nodes of another. */
export interface Copies extends Owners {
  readonly principal: Principal;
  readonly experiment: string;
  readonly workflowId: string;
  readonly nodes: number;
}

/** Reason because of which nodes are not copied. */
export interface CopyProblem {
  readonly code: JobValueErrorCode | 'QUEUE_LIMIT_EXCEEDED';
  readonly text: string;
}

/** The first problem of nodes; undefined if all may be copied. */
export async function problemOfCopies(
  options: CopiedNodesOptions,
  copies: Copies,
): Promise<CopyProblem | undefined> {
  return (
    (await problemOfSecrets(options, copies)) ??
    (await problemOfQueues(options, copies)) ??
    (await problemOfDatasets(options, copies))
  );
}

async function problemOfSecrets(
  options: CopiedNodesOptions,
  copies: Copies,
): Promise<CopyProblem | undefined> {
  const named = await options.nodeJobs.secrets(copies.workflowId, copies.nodes);
  const [text] = await missingSecrets(options, copies.principal, copies, named);
  return text === undefined ? undefined : { code: 'SECRET_NOT_FOUND', text };
}

async function problemOfQueues(
  { nodeJobs, queues }: CopiedNodesOptions,
  { experiment, workflowId, nodes }: Copies,
): Promise<CopyProblem | undefined> {
  const bounds = boundsOnce(queues);
  const named = new Map<string, { readonly name: string }>();
  for await (const { node, requirements } of nodeJobs.kindsByLabel(workflowId, nodes)) {
    const over = await exceededLimit(bounds, requirements);
    if (over) return { code: 'QUEUE_LIMIT_EXCEEDED', text: limitText(node, over) };
    if (requirements.queue !== undefined) named.set(requirements.queue, node);
  }
  if (named.size === 0) return undefined;
  const admitted = await queues.admitted([...named.keys()], experiment);
  const [gone] = [...named].filter(([queue]) => !admitted.has(queue));
  if (!gone) return undefined;
  const text = `${nodeText(gone[1])} requires queue ${JSON.stringify(gone[0])}, which does not exist, or does not admit ${experiment}`;
  return { code: 'QUEUE_NOT_FOUND', text };
}

async function problemOfDatasets(
  { nodeJobs, experiments }: CopiedNodesOptions,
  copies: Copies,
): Promise<CopyProblem | undefined> {
  const named = await nodeJobs.firstDatasets(copies.workflowId, copies.nodes);
  const [closed] = await closedDatasets(experiments, copies, named);
  return closed && { code: 'INVALID_VALUE', text: closedText(closed) };
}
