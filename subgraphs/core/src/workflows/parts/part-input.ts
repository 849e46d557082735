/** Checks what a part of a workflow says about its own nodes; the graph is checked when it is sealed. */
import type { StoredNodeGroup } from '../model/workflow.types.js';
import {
  checkEdgeCount,
  checkGroupCount,
  groupsOf,
  type LabelLimits,
  numbersOf,
  placeOf,
  type PlannedNode,
  positionsOf,
  reportTwice,
} from '../submit/graph-input.js';
import type { GraphErrors, WorkflowErrors } from '../submit/workflow-errors.js';
import { maxErrors, maxNodes, maxStoredBytes } from '../submit/workflow-input.js';
import type { GroupEdgeSpec, NodeSpec } from '../submit/workflow-spec.types.js';

/** Nodes of a part with what is known of them before the graph is. */
export interface PartPlan {
  readonly planned: readonly PlannedNode[];
  readonly groups: readonly StoredNodeGroup[];
  /** Number of edges that lead to its nodes, apart from those between labels. */
  readonly edges: number;
}

/** Numbers of a workflow that parts raise. */
export interface PartTotals {
  readonly nodes: number;
  readonly bytes: number;
  readonly edges: number;
  readonly groups: number;
}

/** Checks names, edges and labels of a part; undefined if there are errors. */
export function planPart(
  nodes: readonly NodeSpec[],
  labels: ReadonlyMap<string, LabelLimits>,
  groupEdges: readonly GroupEdgeSpec[],
  errors: WorkflowErrors,
): PartPlan | undefined {
  positionsOf(nodes, errors);
  let edges = 0;
  for (const [at, node] of nodes.entries()) {
    const parents = new Set<string>();
    for (const [position, { node: parent }] of (node.dependsOn ?? []).entries()) {
      if (errors.all.length >= maxErrors) return undefined;
      if (parents.has(parent))
        reportTwice(['nodes', at, 'dependsOn', position, 'node'], node, parent, errors);
      parents.add(parent);
      edges += 1;
    }
  }
  const groups = groupsOf(nodes.map(placeOf), labels, errors);
  // Behind those of the caller comes the edge from all other nodes to the final ones.
  const numbers = numbersOf(nodes, [...groupEdges, {}], errors);
  if (!errors.isEmpty) return undefined;
  const planned = nodes.map((node, at) => ({
    ...placeOf(node),
    ...(numbers[at] ?? { total: 0, needed: 0 }),
    depth: 0,
  }));
  return { planned, groups, edges };
}

/** Refuses a part with which the workflow would be too large. */
export function checkTotals({ nodes, bytes, edges, groups }: PartTotals, errors: GraphErrors): void {
  if (nodes > maxNodes)
    errors.add(['nodes'], `${nodes} nodes`, `at most ${maxNodes} nodes in a workflow`, 'WORKFLOW_TOO_LARGE');
  if (bytes > maxStoredBytes)
    errors.add(
      ['nodes'],
      `${bytes} bytes`,
      `at most ${maxStoredBytes} bytes of payloads in a workflow, those that nodes inherit from labels included`,
      'WORKFLOW_TOO_LARGE',
    );
  checkEdgeCount(edges, errors);
  checkGroupCount(groups, errors);
}
