import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { LeaderTask, type LeaderWork, repeat } from '../../shared/leader-task.js';
import type { EdgesRepository } from '../store/edges.repository.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';

/** Dependencies of {@link OpenWorkflows}. */
export interface OpenWorkflowsOptions {
  readonly workflows: WorkflowsRepository;
  readonly nodes: Pick<NodesRepository, 'drop'>;
  readonly edges: Pick<EdgesRepository, 'drop'>;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Age of the last change at which a workflow that is still open is cancelled, in milliseconds. */
export const longestOpenMs = 86_400_000;
const everyMs = 600_000;
const pageSize = 100;

/** Cancels workflows whose submission was not completed within a day, on the leader. */
export class OpenWorkflows {
  readonly #options: OpenWorkflowsOptions;
  readonly #task: LeaderTask;

  constructor(options: OpenWorkflowsOptions) {
    this.#options = options;
    const { leader, log } = options;
    const failed = (err: unknown): void => log.warn({ err }, 'search for open workflows failed');
    this.#task = new LeaderTask(
      leader,
      (signal) => repeat(() => this.sweep(signal), everyMs, signal, failed),
      log,
    );
  }

  /** Runs while this process leads. */
  start(): void {
    this.#task.start();
  }

  /** Stops after the workflow in progress. */
  stop(): Promise<void> {
    return this.#task.stop();
  }

  /** Cancels those that are due. */
  async sweep(signal: AbortSignal): Promise<void> {
    const { workflows, clock, log } = this.#options;
    const before = clock.now().getTime() - longestOpenMs;
    for await (const workflow of workflows.inStates(['OPEN'])) {
      if (signal.aborted) break;
      if (workflow.updatedAt.getTime() > before) continue;
      const now = clock.now();
      const cancel = {
        by: 'system:workflows',
        at: now,
        reason: 'not submitted within a day',
        withFinal: true,
      };
      const emptied = { isEmptied: false, groups: [], groupEdges: [] } as const;
      const patch = { state: 'CANCELLED', endedAt: now, cancel, ...emptied } as const;
      // Fails if the workflow is completed meanwhile.
      if (await workflows.record(workflow, undefined, patch, now))
        log.info({ workflowId: workflow._id }, 'open workflow cancelled');
    }
    await this.#empty(signal);
  }

  /** Deletes the nodes and edges of cancelled workflows, also those of a process that has ended meanwhile. */
  async #empty(signal: AbortSignal): Promise<void> {
    const { workflows, nodes, edges, clock } = this.#options;
    while (!signal.aborted) {
      const found = await workflows.toEmpty(pageSize);
      for (const workflow of found) {
        await nodes.drop(workflow._id);
        await edges.drop(workflow._id);
        await workflows.record(workflow, undefined, { isEmptied: true }, clock.now());
      }
      if (found.length < pageSize) return;
    }
  }
}
