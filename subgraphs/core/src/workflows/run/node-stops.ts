/** Cancels the jobs of nodes. */
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import { isTerminal } from '../../jobs/model/job-state.js';
import type { TransitionWriter } from '../../jobs/transitions/transition.types.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import { nodeJobIds } from './node-jobs.js';

/** Dependencies of {@link NodeStops}. */
export interface NodeStopsOptions {
  readonly workflows: Pick<WorkflowsRepository, 'find'>;
  readonly nodes: Pick<NodesRepository, 'submitted'>;
  readonly jobs: Pick<JobsRepository, 'find'>;
  readonly writer: TransitionWriter;
}

/** Principal that cancels, and its reason. */
export interface Canceller {
  readonly by: string;
  readonly reason?: string | undefined;
}

/** Rounds for a job whose state changes between the read and the write; it has fewer states than these. */
const maxRounds = 12;

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
      const ids = nodes.flatMap((node) => idOf(node) ?? []);
      await this.cancel(workflow, ids, workflow.cancel);
    }
  }

  /** Cancels jobs that have not ended. */
  async cancel(
    { name }: Pick<WorkflowDocument, 'name'>,
    jobIds: readonly string[],
    { by, reason }: Canceller,
  ): Promise<void> {
    const { jobs, writer } = this.#options;
    const text = `Workflow "${name}" was cancelled${reason === undefined ? '' : `: ${reason}`}`;
    let open = jobIds;
    for (let round = 0; open.length > 0 && round < maxRounds; round += 1) {
      const found = await jobs.find(open, { state: 1 });
      const outcomes = await writer.apply(
        found.flatMap(({ _id: jobId, state: from }) =>
          isTerminal(from)
            ? []
            : [{ jobId, from, to: 'CANCELLED', by: 'principal', actor: by, reason: text } as const],
        ),
      );
      open = outcomes.flatMap(({ applied, jobId }) => (applied ? [] : [jobId]));
    }
    if (open.length > 0) throw new Error(`${open.length} jobs of workflow "${name}" change too quickly`);
  }
}
