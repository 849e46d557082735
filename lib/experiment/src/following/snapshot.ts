/** Reads the current state of jobs after a gap in the event stream. */
import type { ApiClient } from '@rhizome/client';
import { ExperimentTaskJobsDocument, ExperimentWorkflowJobsDocument } from '../operations.generated.js';
import type { SubmissionDocument } from '../submissions/submission.document.js';
import type { SubmissionsRepository } from '../submissions/submissions.repository.js';
import type { JobFact } from './job-fact.js';
import type { Ledger } from './ledger.repository.js';
import { nodeRunOf } from './node-run.js';

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
  options: SnapshotOptions<T>,
  { _id, taskId, workflowId }: T,
  signal: AbortSignal,
): Promise<void> {
  if (taskId !== undefined) await takeTaskJobs(options, { _id, taskId }, signal);
  if (workflowId !== undefined) await takeNodeJobs(options, { _id, workflowId }, signal);
}

async function takeTaskJobs<T extends SubmissionDocument>(
  { core, ledger }: SnapshotOptions<T>,
  { _id, taskId }: { readonly _id: string; readonly taskId: string },
  signal: AbortSignal,
): Promise<void> {
  await takePages(ledger, signal, async (after) => {
    const { task } = await core.query(ExperimentTaskJobsDocument, { id: taskId, after }, { signal });
    if (!task) return null;
    const { nodes, pageInfo } = task.jobs;
    const facts = nodes.flatMap(({ id, taskIndex, revision, state }): JobFact[] =>
      taskIndex == null
        ? []
        : [{ submissionId: _id, coreId: taskId, index: taskIndex, jobId: id, revision, state }],
    );
    return { facts, pageInfo };
  });
}

async function takeNodeJobs<T extends SubmissionDocument>(
  { core, ledger }: SnapshotOptions<T>,
  { _id, workflowId }: { readonly _id: string; readonly workflowId: string },
  signal: AbortSignal,
): Promise<void> {
  await takePages(ledger, signal, async (after) => {
    const { workflow } = await core.query(
      ExperimentWorkflowJobsDocument,
      { id: workflowId, after },
      { signal },
    );
    if (!workflow) return null;
    const { nodes, pageInfo } = workflow.nodes;
    const facts = nodes.flatMap(({ job }): JobFact[] => {
      if (job?.workflowIndex == null) return [];
      const { id: jobId, workflowIndex: index, revision, state } = job;
      return [{ submissionId: _id, coreId: workflowId, index, jobId, revision, state, run: nodeRunOf(job) }];
    });
    return { facts, pageInfo };
  });
}

/** A page of jobs. */
interface JobPage {
  readonly facts: readonly JobFact[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor?: string | null };
}

/** Takes in all pages. @param read the page behind a cursor; null if core has not what it is read of */
async function takePages<T extends SubmissionDocument>(
  ledger: SnapshotOptions<T>['ledger'],
  signal: AbortSignal,
  read: (after: string | null) => Promise<JobPage | null>,
): Promise<void> {
  let after: string | null = null;
  do {
    if (signal.aborted) return;
    const page: JobPage | null = await read(after);
    if (!page) return;
    await ledger.record(page.facts);
    after = page.pageInfo.hasNextPage ? (page.pageInfo.endCursor ?? null) : null;
  } while (after !== null);
}
