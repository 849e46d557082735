/** `rhizome workflow watch`: a workflow, live, until it ends. */
import type { Session } from '../../command.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import { CliWatchWorkflowDocument } from '../../operations.generated.js';
import { printJson, printLine, reportReconnecting } from '../../output.js';
import { percent } from './show.js';

const ended = new Set(['SUCCEEDED', 'FAILED', 'CANCELLED']);

/** Watches a workflow. */
export async function watchWorkflow({ client, output }: Session, id: string): Promise<ExitCode> {
  const stream = client.subscribe(
    CliWatchWorkflowDocument,
    { id },
    { onReconnect: reportReconnecting(output) },
  );
  for await (const { workflowChanged } of stream) {
    const { workflow } = workflowChanged;
    const { state, counts, endedFraction } = workflow;
    if (output.json) printJson(output, workflow, true);
    else
      printLine(
        output,
        `${state}  ${percent(endedFraction)} of ${counts.total}: ${counts.submitted} submitted, ${counts.succeeded} succeeded, ${counts.failed} failed, ${counts.skipped} skipped`,
      );
    if (ended.has(state)) return state === 'SUCCEEDED' ? exitCodes.ok : exitCodes.failed;
  }
  return exitCodes.failed;
}
