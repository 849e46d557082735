/** `rhizome workflow list|show|tree`. */
import type { Session } from '../../command.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { pagesUpTo } from '../../flags/flags.js';
import {
  CliWorkflowDocument,
  type CliWorkflowFragment,
  type CliWorkflowNodeFragment,
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

/** Choice of the nodes that are listed. */
export interface TreeFlags {
  readonly state: readonly string[];
  readonly label: readonly string[];
  /** Name of a node with a sub-graph. */
  readonly within?: string;
}

/** Nodes by depth, those of a sub-graph behind the node that stands for it. */
function inOrder<Node extends Pick<CliWorkflowNodeFragment, 'name' | 'depth' | 'subgraph'>>(
  found: readonly Node[],
): readonly Node[] {
  const units = new Set(found.flatMap(({ name, subgraph }) => (subgraph ? [name] : [])));
  const within = new Map<string | undefined, Node[]>();
  for (const node of [...found].sort((a, b) => a.depth - b.depth)) {
    const unit = unitOf(node.name, units);
    const siblings = within.get(unit);
    if (siblings) siblings.push(node);
    else within.set(unit, [node]);
  }
  const listed = (unit: string | undefined): readonly Node[] =>
    (within.get(unit) ?? []).flatMap((node) => [node, ...(node.subgraph ? listed(node.name) : [])]);
  return listed(undefined);
}

/** The innermost of these nodes in whose sub-graph a node is; undefined for none. */
function unitOf(name: string, units: ReadonlySet<string>): string | undefined {
  for (let end = name.lastIndexOf('/'); end > 0; end = name.lastIndexOf('/', end - 1))
    if (units.has(name.slice(0, end))) return name.slice(0, end);
  return undefined;
}

function subgraphText(subgraph: CliWorkflowNodeFragment['subgraph']): string {
  if (!subgraph) return '';
  const { template, iteration, maxIterations } = subgraph;
  return maxIterations === 1 ? `(${template})` : `(${template}, iteration ${iteration} of ${maxIterations})`;
}

/** Lists the nodes of a workflow. */
export async function tree(
  { client, output }: Session,
  id: string,
  { state, label, within }: TreeFlags,
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
    ...(within === undefined ? {} : { namePrefix: `${within}/` }),
  };
  const found = await pagesUpTo(maxNodes, async (first, after) => {
    const { workflow } = await client.query(CliWorkflowNodesDocument, { id, filter, first, after });
    if (!workflow) throw workflowNotFound(id);
    return workflow.nodes;
  });
  const nodes = inOrder(found);
  if (output.json) printJson(output, nodes);
  else if (nodes.length > 0)
    printTable(
      output,
      ['NODE', 'LABEL', 'STATE', 'JOB', 'REASON'],
      nodes.map(({ name, depth, label: own, state: current, jobId, subgraph, reason }) => [
        ...[
          `${'  '.repeat(Math.min(depth, 20))}${name}`,
          own ?? '',
          current,
          jobId ?? subgraphText(subgraph),
          reason ?? '',
        ],
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
