/** Reads the current state of jobs after a gap in the event stream. */
import type { ApiClient } from '@rhizome/client';
import { ExperimentTaskJobsDocument } from '../operations.generated.js';
import type { SubmissionDocument } from '../submissions/submission.document.js';
import type { SubmissionsRepository } from '../submissions/submissions.repository.js';
import type { JobFact } from './job-fact.js';
import type { Ledger } from './ledger.repository.js';

/** Dependencies of {@link takeSnapshot}. */
export interface SnapshotOptions<T extends SubmissionDocument> {
  readonly core: ApiClient;
  readonly submissions: SubmissionsRepository<T>;
  readonly ledger: Ledger<T>;
}

const pageSize = 100;

/** Records the jobs of all submissions that core has and that are not done. Stops when the signal aborts. */
export async function takeSnapshot<T extends SubmissionDocument>(
  options: SnapshotOptions<T>,
  signal: AbortSignal,
): Promise<void> {
  let behind = '';
  for (;;) {
    const page = await options.submissions.inStage('OPEN', behind, pageSize);
    for (const submission of page) await takeJobs(options, submission, signal);
    const last = page.at(-1);
    if (signal.aborted || !last || page.length < pageSize) return;
    behind = last._id;
  }
}

/** Records the jobs of one submission. */
export async function takeJobs<T extends SubmissionDocument>(
  { core, ledger }: SnapshotOptions<T>,
  { _id, taskId }: T,
  signal: AbortSignal,
): Promise<void> {
  if (taskId === undefined) return;
  let after: string | null = null;
  do {
    if (signal.aborted) return;
    const variables: { id: string; after: string | null } = { id: taskId, after };
    const { task } = await core.query(ExperimentTaskJobsDocument, variables, { signal });
    if (!task) return;
    const { nodes, pageInfo } = task.jobs;
    await ledger.record(
      nodes.flatMap(({ id, taskIndex, revision, state }): JobFact[] =>
        taskIndex == null
          ? []
          : [{ submissionId: _id, taskId, index: taskIndex, jobId: id, revision, state }],
      ),
    );
    after = pageInfo.hasNextPage ? (pageInfo.endCursor ?? null) : null;
  } while (after !== null);
}
