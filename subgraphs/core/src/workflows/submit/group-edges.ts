/** Edges between labels: what a caller describes, and cycles that they are part of. */
import type { TimeSlices } from '../../shared/time-slices.js';
import { EdgeList } from '../model/edges.js';
import { layersOf } from '../model/layers.js';
import { countsOf, nodesIn, sourcesOf } from '../model/node-rules.js';
import type { EdgeCondition, StoredGroupEdge, StoredNodeGroup } from '../model/workflow.types.js';
import type { GraphErrors } from './workflow-errors.js';
import { checkLabelName, maxErrors, maxNodes } from './workflow-input.js';
import type { GroupEdgeSpec } from './workflow-spec.types.js';

/** Most names of a cycle in a message. */
const maxNamed = 20;

/** Edges between labels, and the one that leads from all other nodes to final ones. */
export function groupEdgesOf(
  wanted: readonly GroupEdgeSpec[],
  groups: readonly StoredNodeGroup[],
  errors: GraphErrors,
): readonly StoredGroupEdge[] {
  checkPairs(wanted, errors);
  const edges = wanted.map((edge, position): StoredGroupEdge => {
    for (const side of ['from', 'to'] as const)
      if (!groups.some(({ label, isFinal }) => !isFinal && label === edge[side] && label !== ''))
        errors.report(
          'LABEL_NOT_FOUND',
          ['groupEdges', position, side],
          `groupEdges.${position}.${side}: no node that is not final has the label ${JSON.stringify(edge[side])}`,
        );
    const condition = edge.condition ?? 'SUCCEEDED';
    const nodes = nodesIn(countsOf(sourcesOf(edge, groups)));
    errors.int(['groupEdges', position, 'needed'], edge.needed, 1, Math.max(1, nodes));
    const { from, to, needed } = edge;
    return { from, to, condition, needed: needed ?? neededOf(condition, nodes) };
  });
  if (!groups.some(({ isFinal }) => isFinal)) return edges;
  const others = nodesIn(countsOf(sourcesOf({}, groups)));
  return [...edges, { condition: 'ENDED', needed: others }];
}

/** A failure is met by one failed node; other conditions by all. */
function neededOf(condition: EdgeCondition, nodes: number): number {
  return condition === 'FAILED' ? 1 : nodes;
}

/** Refuses edges between labels that are wrong whatever nodes follow: the beginning cannot be corrected. */
export async function checkGroupEdges(
  wanted: readonly GroupEdgeSpec[],
  errors: GraphErrors,
  slices: TimeSlices,
): Promise<void> {
  checkPairs(wanted, errors);
  for (const [position, { from, to, needed }] of wanted.entries()) {
    if (errors.all.length >= maxErrors) return;
    const path = ['groupEdges', position];
    checkLabelName([...path, 'from'], from, errors);
    checkLabelName([...path, 'to'], to, errors);
    errors.int([...path, 'needed'], needed, 1, maxNodes);
  }
  if (!errors.isEmpty) return;
  // A cycle of labels is one of nodes as soon as each label has a node.
  const labels = [...new Set(wanted.flatMap(({ from, to }) => [from, to]))];
  const places = labels.map((label) => ({ label, isFinal: false }));
  const groupEdges = wanted.map(({ from, to }) => ({ from, to, condition: 'SUCCEEDED' as const, needed: 1 }));
  const layers = await layersOf(places, new EdgeList().arrange(labels.length), groupEdges, slices);
  if ('cycle' in layers)
    reportCycle('groupEdges', layers.cycle, { names: labels.map(() => undefined), groupEdges }, errors);
}

/** Refuses an edge that occurs twice. */
function checkPairs(wanted: readonly GroupEdgeSpec[], errors: GraphErrors): void {
  const seen = new Set<string>();
  for (const [position, { from, to, condition }] of wanted.entries()) {
    if (errors.all.length >= maxErrors) return;
    const pair = JSON.stringify([from, to, condition ?? 'SUCCEEDED']);
    if (seen.has(pair))
      errors.report(
        'INVALID_VALUE',
        ['groupEdges', position],
        `groupEdges.${position}: ${from} before ${to} occurs twice with the same condition`,
      );
    seen.add(pair);
  }
}

/** Reports a cycle. @param names of the nodes by position; a node without a name is left out */
export function reportCycle(
  field: 'nodes' | 'groupEdges',
  cycle: readonly number[],
  {
    names,
    groupEdges,
  }: { readonly names: readonly (string | undefined)[]; readonly groupEdges: readonly StoredGroupEdge[] },
  errors: GraphErrors,
): void {
  const all = cycle.flatMap((vertex) => {
    if (vertex >= 0) return names[vertex] ?? [];
    const { from, to } = groupEdges[-1 - vertex] ?? {};
    return from === undefined ? '(all before the final nodes)' : `(label ${from} before ${to})`;
  });
  const more = all.length > maxNamed ? ` → … ${all.length - maxNamed} more` : '';
  const named = all.slice(0, maxNamed).join(' → ');
  errors.report(
    'CYCLE',
    [field],
    `${field}: ${named}${more} → ${all[0]} is a cycle; the graph must have none`,
  );
}
