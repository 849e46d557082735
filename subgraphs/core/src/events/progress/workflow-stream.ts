/** A workflow for a subscriber. It is read in intervals: its steps may be far more frequent. */
import { DomainError } from '@rhizome/errors';
import { sleep } from '@rhizome/retry';
import type { WorkflowDocument } from '../../workflows/model/workflow.document.js';

/** Message of the stream. */
export interface WorkflowChange {
  readonly token: string;
  readonly workflow: WorkflowDocument;
}

/** Reads of the workflow of a subscriber. */
export interface WorkflowSource {
  readonly id: string;
  /** The workflow; null if the subscriber may not see it. */
  find(): Promise<WorkflowDocument | null>;
}

/** Streams the workflow after its steps, until it has ended. @throws DomainError WORKFLOW_NOT_FOUND */
export async function* streamWorkflow(
  { id, find }: WorkflowSource,
  intervalMs: number,
  { signal, head }: { readonly signal: AbortSignal; readonly head: () => string },
): AsyncGenerator<WorkflowChange, void, undefined> {
  let known: number | undefined;
  while (!signal.aborted) {
    // Each time: a permission may end while the stream lasts.
    const workflow = await find();
    if (!workflow) throw workflowNotFound(id);
    if (workflow.step !== known) yield { token: head(), workflow };
    if (workflow.endedAt) return;
    known = workflow.step;
    await sleep(intervalMs, signal);
  }
}

function workflowNotFound(id: string): DomainError {
  const value = id.slice(0, 100);
  const text = `Workflow ${JSON.stringify(value)} not found, or you may not see it.`;
  return new DomainError('WORKFLOW_NOT_FOUND', text, { value });
}
