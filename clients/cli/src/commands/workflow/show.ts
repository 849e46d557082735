/** `rhizome workflow list|show|tree`. */
import type { Session } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { pagesUpTo } from '../../flags/flags.js';
import {
  CliWorkflowDocument,
  type CliWorkflowFragment,
  CliWorkflowNodesDocument,
  CliWorkflowsDocument,
  type WorkflowNodeFilter,
} from '../../operations.generated.js';
import { printFields, printJson, printTable } from '../../output.js';

const maxListed = 1000;
const maxNodes = 20_000;
const states = ['WAITING', 'SUBMITTED', 'SUCCEEDED', 'FAILED', 'SKIPPED', 'CANCELLED'] as const;

type Counts = CliWorkflowFragment['counts'];

/** Lists workflows. */
export async function list({ client, output }: Session, experiments: readonly string[]): Promise<ExitCode> {
  const filter = experiments.length > 0 ? { experiments: [...experiments] } : {};
  const found = await pagesUpTo(
    maxListed,
    async (first, after) => (await client.query(CliWorkflowsDocument, { filter, first, after })).workflows,
  );
  if (output.json) printJson(output, found);
  else if (found.length > 0)
    printTable(
      output,
      ['ID', 'NAME', 'STATE', 'NODES', 'ENDED', 'FAILED', 'CREATED'],
      found.map(({ id, name, state, counts, endedFraction, createdAt }) => [
        ...[id, name, state, String(counts.total), percent(endedFraction), String(counts.failed), createdAt],
      ]),
    );
  return exitCodes.ok;
}

/** Shows a workflow. */
export async function show({ client, output }: Session, id: string): Promise<ExitCode> {
  const { workflow } = await client.query(CliWorkflowDocument, { id });
  if (!workflow) throw workflowNotFound(id);
  if (output.json) {
    printJson(output, workflow);
    return exitCodes.ok;
  }
  printFields(output, [
    ['workflow', workflow.id],
    ['name', workflow.name],
    ['experiment', workflow.experiment.name],
    ['owner', workflow.owner.id],
    ['state', workflow.state],
    ['reason', workflow.pause?.reason ?? workflow.cancellation?.reason],
    ['nodes', workflow.counts.total],
    ['ended', percent(workflow.endedFraction)],
    ['longest chain', workflow.criticalPathNodes],
    ['created', workflow.createdAt],
    ['ended at', workflow.endedAt],
    ['expected end', workflow.estimatedEndAt],
  ]);
  printTable(
    output,
    ['LABEL', 'NODES', ...states],
    workflow.labelCounts.map(({ label, isFinal, counts }) => [
      ...[isFinal ? `${label ?? '-'} (final)` : (label ?? '-'), String(counts.total)],
      ...countsOf(counts).map(String),
    ]),
  );
  return exitCodes.ok;
}

/** Lists the nodes of a workflow. */
export async function tree(
  { client, output }: Session,
  id: string,
  { state, label }: { readonly state: readonly string[]; readonly label: readonly string[] },
): Promise<ExitCode> {
  const wrong = state.find((one) => !(states as readonly string[]).includes(one));
  if (wrong !== undefined)
    throw new CliError(
      exitCodes.usage,
      `--state: ${JSON.stringify(wrong)} is not a state of nodes; must be one of ${states.join(', ')}`,
    );
  const filter: WorkflowNodeFilter = {
    ...(state.length > 0 ? { states: states.filter((one) => state.includes(one)) } : {}),
    ...(label.length > 0 ? { labels: [...label] } : {}),
  };
  const found = await pagesUpTo(maxNodes, async (first, after) => {
    const { workflow } = await client.query(CliWorkflowNodesDocument, { id, filter, first, after });
    if (!workflow) throw workflowNotFound(id);
    return workflow.nodes;
  });
  const nodes = [...found].sort((a, b) => a.depth - b.depth);
  if (output.json) printJson(output, nodes);
  else if (nodes.length > 0)
    printTable(
      output,
      ['NODE', 'LABEL', 'STATE', 'JOB', 'REASON'],
      nodes.map(({ name, depth, label: own, state: current, jobId, reason }) => [
        ...[`${'  '.repeat(Math.min(depth, 20))}${name}`, own ?? '', current, jobId ?? '', reason ?? ''],
      ]),
    );
  return exitCodes.ok;
}

/** Numbers in the order of the states. */
function countsOf({ waiting, submitted, succeeded, failed, skipped, cancelled }: Counts): readonly number[] {
  return [waiting, submitted, succeeded, failed, skipped, cancelled];
}

/** A part as a percentage. */
export function percent(part: number): string {
  return `${Math.floor(part * 100)} %`;
}

/** The error for a workflow that does not exist, or that the caller may not see. */
export function workflowNotFound(id: string): CliError {
  return new CliError(exitCodes.notFound, `Workflow "${id}" not found, or you may not see it.`);
}
