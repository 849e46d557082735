/** Jobs of nodes. Their ids follow from the node, its run, and the time of the step that submits it. */
import { batchJobIds } from '../../jobs/model/job-ids.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import { newJobDocument } from '../../jobs/model/new-job.js';
import type { NodeDocument } from '../model/node.document.js';
import type { WorkflowDocument } from '../model/workflow.document.js';

/** Fields of a node that the id of its job needs. */
type SubmittedNode = Pick<NodeDocument, 'index' | 'run' | 'submittedAt'>;

/** Identifiers of the jobs of nodes of a workflow; undefined for a node that was not submitted. */
export function nodeJobIds(workflowId: string): (node: SubmittedNode) => string | undefined {
  const known = new Map<string, (index: number) => string>();
  return ({ index, run, submittedAt }) => {
    if (!submittedAt) return undefined;
    const key = `${run} ${submittedAt.getTime()}`;
    let idAt = known.get(key);
    if (!idAt) {
      idAt = batchJobIds(`${workflowId}/${run}`, submittedAt);
      known.set(key, idAt);
    }
    return idAt(index);
  };
}

/** Jobs of submitted nodes. */
export function nodeJobs(
  workflow: WorkflowDocument,
  nodes: readonly NodeDocument[],
  now: Date,
): readonly JobDocument[] {
  const { _id: workflowId, experiment, owner, submittedBy, share, labels } = workflow;
  const idOf = nodeJobIds(workflowId);
  return nodes.flatMap((node) => {
    const id = idOf(node);
    const { index, run, name, job, requestedBy } = node;
    if (id === undefined || !node.submittedAt || !job) return [];
    return newJobDocument(
      {
        ...{ id, createdAt: node.submittedAt, experiment, name, owner, submittedBy, share },
        priority: job.priority,
        labels,
        requirements: job.requirements,
        classId: job.classId,
        payload: job.payload,
        retry: job.retry,
        dependsOn: [],
        waitingFor: [],
        workflow: { id: workflowId, node: index, run },
        actor: requestedBy,
      },
      now,
    );
  });
}
