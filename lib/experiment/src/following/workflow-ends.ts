/** Asks core which workflows have ended: nodes that end without a job cause no event. */
import type { ApiClient } from '@rhizome/client';
import type { Clock } from '@rhizome/clock';
import { ExperimentWorkflowStateDocument, type WorkflowState } from '../operations.generated.js';
import { Rounds } from '../submissions/rounds.js';
import {
  type SubmissionDocument,
  type WorkflowEnd,
  workflowEnds,
} from '../submissions/submission.document.js';
import type { SubmissionsRepository } from '../submissions/submissions.repository.js';

/** Dependencies of {@link WorkflowEnds}. */
export interface WorkflowEndsOptions<T extends SubmissionDocument> {
  readonly core: ApiClient;
  readonly submissions: SubmissionsRepository<T>;
  readonly clock: Clock;
}

export class WorkflowEnds<T extends SubmissionDocument> {
  readonly #options: WorkflowEndsOptions<T>;
  readonly #rounds: Rounds<T>;

  constructor(options: WorkflowEndsOptions<T>) {
    this.#options = options;
    this.#rounds = new Rounds((behind, limit) => options.submissions.inWorkflows(behind, limit));
  }

  /**
   * Notes the ends of workflows. Any later change of one of their jobs removes the note, and the next call
   * asks again. Behind a workflow that cannot be read, the next call goes on. @throws RhizomeApiError
   */
  note(signal: AbortSignal): Promise<void> {
    return this.#rounds.next((submission) => this.#ask(submission, signal), signal);
  }

  async #ask(submission: T, signal: AbortSignal): Promise<void> {
    const { core, submissions, clock } = this.#options;
    const { workflowId } = submission;
    if (workflowId === undefined) return;
    const { workflow } = await core.query(ExperimentWorkflowStateDocument, { id: workflowId }, { signal });
    const end = workflow ? endOf(workflow.state) : undefined;
    if (end !== undefined) await submissions.endNoted(submission, end, clock.now());
  }
}

function endOf(state: WorkflowState): WorkflowEnd | undefined {
  return workflowEnds.find((end) => end === state);
}
