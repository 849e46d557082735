/** Asks core which workflows have ended: nodes that end without a job cause no event. */
import type { ApiClient } from '@rhizome/client';
import type { Clock } from '@rhizome/clock';
import { ExperimentWorkflowStateDocument, type WorkflowState } from '../operations.generated.js';
import {
  type SubmissionDocument,
  type WorkflowEnd,
  workflowEnds,
} from '../submissions/submission.document.js';
import type { SubmissionsRepository } from '../submissions/submissions.repository.js';

/** Dependencies of {@link noteEnds}. */
export interface WorkflowEndsOptions<T extends SubmissionDocument> {
  readonly core: ApiClient;
  readonly submissions: SubmissionsRepository<T>;
  readonly clock: Clock;
}

const pageSize = 100;

/**
 * Notes the ends of workflows. Any later change of one of their jobs removes the note, and the next call asks
 * again. @throws RhizomeApiError
 */
export async function noteEnds<T extends SubmissionDocument>(
  { core, submissions, clock }: WorkflowEndsOptions<T>,
  signal: AbortSignal,
): Promise<void> {
  let behind = '';
  for (;;) {
    const page = await submissions.inWorkflows(behind, pageSize);
    for (const submission of page) {
      const { workflowId } = submission;
      if (signal.aborted || workflowId === undefined) return;
      const { workflow } = await core.query(ExperimentWorkflowStateDocument, { id: workflowId }, { signal });
      const end = workflow ? endOf(workflow.state) : undefined;
      if (end !== undefined) await submissions.endNoted(submission, end, clock.now());
    }
    const last = page.at(-1);
    if (!last || page.length < pageSize) return;
    behind = last._id;
  }
}

function endOf(state: WorkflowState): WorkflowEnd | undefined {
  return workflowEnds.find((end) => end === state);
}
