import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { LeaderTask, type LeaderWork, repeat } from '../../shared/leader-task.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { EdgesRepository } from '../store/edges.repository.js';
import type { AddedNodesRepository } from '../store/added-nodes.repository.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { PartsRepository } from '../store/parts.repository.js';
import type { WorkflowPatch, WorkflowsRepository } from '../store/workflows.repository.js';
import type { WorkflowChange } from './journal.js';

/** Dependencies of {@link OpenWorkflows}. */
export interface OpenWorkflowsOptions {
  readonly workflows: WorkflowsRepository;
  readonly nodes: Pick<NodesRepository, 'drop'>;
  readonly edges: Pick<EdgesRepository, 'drop'>;
  readonly parts: Pick<PartsRepository, 'drop'>;
  readonly templates: Pick<AddedNodesRepository, 'dropAll'>;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Age of the last change at which a workflow that is still open is cancelled, in milliseconds. */
export const longestOpenMs = 86_400_000;
/** Age at which a workflow that is still open is cancelled, in milliseconds. */
export const longestUnsealedMs = 7 * longestOpenMs;
const everyMs = 600_000;
/** Time after a cancellation in which calls that write parts end, in milliseconds. */
const emptiedAfterMs = 600_000;
const pageSize = 100;
const actor = 'system:workflows';

/** Patch that cancels an open workflow; what is stored of it is deleted later. */
export function cancelledOpen(cancel: NonNullable<WorkflowDocument['cancel']>): WorkflowPatch {
  const emptied = { isEmptied: false, groups: [], groupEdges: [], isSealing: null } as const;
  return { state: 'CANCELLED', endedAt: cancel.at, cancel, ...emptied };
}

type Seal = Pick<WorkflowDocument, 'state' | 'sealedAt'>;

/** True for a workflow that was cancelled before it was sealed. */
export function isAbandoned({ state, sealedAt }: Seal): boolean {
  return state !== 'OPEN' && sealedAt === undefined;
}

/**
 * Change of an abandoned workflow to which something was written after it had been cancelled: that is
 * deleted, too, whether the rest has been deleted or is being deleted. Undefined for other workflows.
 */
export function emptiedAgain(workflow: Seal): WorkflowChange | undefined {
  return isAbandoned(workflow) ? { patch: { isEmptied: false } } : undefined;
}

/**
 * Cancels workflows to which nothing was added for a day, or that are not sealed within seven, on the leader.
 * Deletes what is stored of workflows that were cancelled before they were sealed.
 */
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
    const nowMs = clock.now().getTime();
    for await (const workflow of workflows.inStates(['OPEN'])) {
      if (signal.aborted) break;
      const { createdAt, updatedAt } = workflow;
      const isUnchanged = updatedAt.getTime() <= nowMs - longestOpenMs;
      if (!isUnchanged && createdAt.getTime() > nowMs - longestUnsealedMs) continue;
      const now = clock.now();
      const cancel = {
        by: actor,
        at: now,
        reason: isUnchanged ? 'nothing was added for a day' : 'not sealed within seven days',
        withFinal: true,
      };
      // Fails if the workflow is completed meanwhile.
      if (await workflows.record(workflow, undefined, cancelledOpen(cancel), now))
        log.info({ workflowId: workflow._id }, 'open workflow cancelled');
    }
    await this.#empty(signal);
  }

  /** Deletes the nodes and edges of cancelled workflows, also those of a process that has ended meanwhile. */
  async #empty(signal: AbortSignal): Promise<void> {
    const { workflows, nodes, edges, parts, templates, clock } = this.#options;
    while (!signal.aborted) {
      const since = new Date(clock.now().getTime() - emptiedAfterMs);
      const found = await workflows.toEmpty(since, pageSize);
      for (const workflow of found) {
        await nodes.drop(workflow._id);
        await edges.drop(workflow._id);
        await parts.drop(workflow._id);
        await templates.dropAll(workflow._id);
        await workflows.record(workflow, undefined, { isEmptied: true }, clock.now());
      }
      if (found.length < pageSize) return;
    }
  }
}
