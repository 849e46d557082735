/** Cancels the jobs of nodes. */
import { cancelJobs, type CancelOptions } from '../../jobs/transitions/cancel-jobs.js';
import type { NodeFacts } from '../model/node.document.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import { nodeJobIds } from './node-jobs.js';

/** Dependencies of {@link NodeStops}. */
export interface NodeStopsOptions extends CancelOptions {
  readonly workflows: Pick<WorkflowsRepository, 'find'>;
  readonly nodes: Pick<NodesRepository, 'submitted'>;
}

/** Job to cancel. */
export interface StoppedJob {
  readonly jobId: string;
  /** Reason that the job gets. */
  readonly reason: string;
}

/** Cancels jobs of nodes; a repetition changes nothing. */
export class NodeStops {
  readonly #options: NodeStopsOptions;

  constructor(options: NodeStopsOptions) {
    this.#options = options;
  }

  /** Cancels the jobs of a workflow that is being cancelled. */
  async ofCancelled(workflowId: string, signal?: AbortSignal): Promise<void> {
    const workflow = await this.#options.workflows.find(workflowId);
    if (workflow?.state !== 'CANCELLING' || !workflow.cancel) return;
    const idOf = nodeJobIds(workflowId);
    for await (const nodes of this.#options.nodes.submitted(workflowId, workflow.cancel.withFinal)) {
      if (signal?.aborted) return;
      const { name, cancel } = workflow;
      const reason = reasonOf(`Workflow "${name}"`, cancel.reason);
      await this.cancel(
        nodes.flatMap((node) => {
          const jobId = idOf(node);
          return jobId === undefined ? [] : [{ jobId, reason }];
        }),
        cancel.by,
      );
    }
  }

  /** Cancels the jobs of some nodes of a workflow. */
  async ofNodes(
    { _id, name }: Pick<WorkflowDocument, '_id' | 'name'>,
    nodes: readonly NodeFacts[],
    { by, reason }: { readonly by: string; readonly reason?: string },
  ): Promise<void> {
    const idOf = nodeJobIds(_id);
    const jobs = nodes.flatMap((node): StoppedJob[] => {
      const jobId = idOf(node);
      if (jobId === undefined) return [];
      return [{ jobId, reason: reasonOf(`Node "${node.name}" of workflow "${name}"`, reason) }];
    });
    await this.cancel(jobs, by);
  }

  /** Cancels jobs that have not ended. @param actor principal that cancels */
  async cancel(stopped: readonly StoppedJob[], actor: string): Promise<void> {
    const reasons = new Map(stopped.map(({ jobId, reason }) => [jobId, reason]));
    await cancelJobs(this.#options, { reasons, actor, owner: 'workflows' });
  }
}

function reasonOf(what: string, reason: string | undefined): string {
  return `${what} was cancelled${reason === undefined ? '' : `: ${reason}`}`;
}
