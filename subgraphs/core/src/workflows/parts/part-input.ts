/** Checks what a part of a workflow says about its own nodes; the graph is checked when it is sealed. */
import type { TimeSlices } from '../../shared/time-slices.js';
import { bytesPerEdge } from '../model/part.document.js';
import type { StoredNodeGroup } from '../model/workflow.types.js';
import {
  checkEdgeCount,
  groupsOf,
  numbersOf,
  placeOf,
  type PlannedNode,
  positionsOf,
  reportTwice,
} from '../submit/graph-input.js';
import type { WorkflowErrors } from '../submit/workflow-errors.js';
import { checkNodeName, type GivenNodes, maxErrors, maxNodes } from '../submit/workflow-input.js';
import type { GroupEdgeSpec, NodeSpec } from '../submit/workflow-spec.types.js';

/** Nodes of a part with what is known of them before the graph is. */
export interface PartPlan {
  readonly planned: readonly PlannedNode[];
  readonly groups: readonly StoredNodeGroup[];
  /** Number of edges that lead to its nodes, apart from those between labels. */
  readonly edges: number;
  /** Bytes of its edges, and of the names of their parents, as they are stored until the seal. */
  readonly edgeBytes: number;
}

/** Edges between two looks at the clock. */
const edgesPerStep = 1000;

/** Checks names, edges and labels of a part, in slices of time; undefined if there are errors. */
export async function planPart(
  { nodes, labels }: Pick<GivenNodes, 'nodes' | 'labels'>,
  groupEdges: readonly GroupEdgeSpec[],
  errors: WorkflowErrors,
  slices: TimeSlices,
): Promise<PartPlan | undefined> {
  positionsOf(nodes, errors);
  const edges = nodes.reduce((sum, { dependsOn }) => sum + (dependsOn?.length ?? 0), 0);
  checkEdgeCount(edges, errors);
  if (!errors.isEmpty) return undefined;
  const nameBytes = await checkParents(nodes, errors, slices);
  const groups = groupsOf(nodes.map(placeOf), labels, errors);
  // Behind those of the caller comes the edge from all other nodes to the final ones.
  const numbers = numbersOf(nodes, [...groupEdges, {}], errors);
  if (!errors.isEmpty) return undefined;
  const planned = nodes.map((node, at) => ({
    ...placeOf(node),
    ...(numbers[at] ?? { total: 0, needed: 0 }),
    depth: 0,
  }));
  return { planned, groups, edges, edgeBytes: nameBytes + edges * bytesPerEdge };
}

/** Checks the names of parents, which may be nodes of any part. @returns bytes of all of them */
async function checkParents(
  nodes: readonly NodeSpec[],
  errors: WorkflowErrors,
  slices: TimeSlices,
): Promise<number> {
  const all = new Set<string>();
  let bytes = 0;
  let seen = 0;
  for (const [at, node] of nodes.entries()) {
    const parents = new Set<string>();
    for (const [position, { node: parent }] of (node.dependsOn ?? []).entries()) {
      if (seen++ % edgesPerStep === 0) await slices.next();
      if (errors.all.length >= maxErrors) return bytes;
      const path = ['nodes', at, 'dependsOn', position, 'node'];
      if (parents.has(parent)) reportTwice(path, node, parent, errors);
      parents.add(parent);
      if (all.has(parent)) continue;
      checkNodeName(path, parent, errors);
      all.add(parent);
      bytes += Buffer.byteLength(parent);
    }
  }
  if (all.size > maxNodes)
    errors.add(
      ['nodes'],
      `${all.size} names of parents`,
      `at most ${maxNodes}, the most nodes of a workflow`,
      'WORKFLOW_TOO_LARGE',
    );
  return bytes;
}
