/**
 * Serialises the changes of each workflow. A change is recorded in the workflow as its next step, if no other
 * was recorded since the workflow was read, and then applied to the nodes. A process that finds a step which
 * is not applied applies it first. So any process may change a workflow, and may end at any point.
 */
import type { Clock } from '@rhizome/clock';
import { TurnsByKey } from '@rhizome/retry';
import type { StepContent } from '../model/workflow.types.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { WorkflowPatch, WorkflowsRepository } from '../store/workflows.repository.js';
import type { StepWriter } from './step-writer.js';

/** Change of a workflow. */
export interface WorkflowChange {
  /** Change of its nodes; absent if only the workflow changes. */
  readonly step?: StepContent;
  readonly patch: WorkflowPatch;
}

/** Dependencies of {@link Journal}. */
export interface JournalOptions {
  readonly workflows: WorkflowsRepository;
  readonly writer: StepWriter;
  readonly clock: Clock;
}

/** Decides about the next change of a workflow whose steps are all applied; undefined for none. */
export type Decide = (workflow: WorkflowDocument) => Promise<WorkflowChange | undefined>;

/** Time for which a command that has lost against a step keeps the leader from the next, in milliseconds. */
const claimMs = 10_000;

/** Changes workflows step by step. */
export class Journal {
  readonly #options: JournalOptions;
  /** Changes by workflow: those of one process need not compete. */
  readonly #turns = new TurnsByKey();

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /**
   * Makes one change. Its step is applied by the time the call ends.
   * @returns the workflow afterwards, and whether it was changed; null if it does not exist
   */
  change(
    id: string,
    decide: Decide,
  ): Promise<{ readonly workflow: WorkflowDocument; readonly isChanged: boolean } | null> {
    return this.#turns.run(id, () => this.#change(id, decide, true));
  }

  /**
   * Makes changes until there is none to make, the signal aborts, or `most` are made.
   * @returns true if there may be more to make
   */
  async changeAll(id: string, decide: Decide, signal: AbortSignal, most = Infinity): Promise<boolean> {
    for (let made = 0; made < most; made += 1) {
      if (signal.aborted) return false;
      const changed = await this.#turns.run(id, () => this.#change(id, decide, false));
      if (!changed?.isChanged) return false;
    }
    return true;
  }

  async #change(id: string, decide: Decide, isCommand: boolean) {
    const { workflows, writer, clock } = this.#options;
    for (let lost = 0; ; lost += 1) {
      // The leader may take steps faster than a large workflow is read.
      if (isCommand && lost > 0) await workflows.claim(id, new Date(clock.now().getTime() + claimMs));
      const workflow = await workflows.find(id);
      if (!workflow) return null;
      // Applied even if the process that recorded it is at it: repeated writes change nothing.
      if (workflow.open) await writer.apply(workflow, workflow.open);
      const wanted = await decide(workflow);
      if (!wanted) {
        if (workflow.open) await workflows.applied(workflow, clock.now());
        if (isCommand && lost > 0) await workflows.release(id);
        return { workflow, isChanged: false };
      }
      const changed = await workflows.record(workflow, wanted.step, wanted.patch, clock.now());
      if (!changed) continue;
      if (changed.open) {
        await writer.apply(changed, changed.open);
        await workflows.applied(changed, clock.now());
      }
      return { workflow: changed, isChanged: true };
    }
  }
}
