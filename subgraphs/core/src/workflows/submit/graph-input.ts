/** Checks the graph of a workflow, and arranges it: positions instead of names, edges, depths. */
import { arrangeEdges, type EdgeBlock, type NodeEdge } from '../model/edges.js';
import { layersOf } from '../model/layers.js';
import {
  countsOf,
  leadsTo,
  membersOf,
  nodesIn,
  type NodePlace,
  noNodes,
  placeKey,
  sourcesOf,
} from '../model/node-rules.js';
import type { EdgeCondition, StoredGroupEdge, StoredNodeGroup } from '../model/workflow.types.js';
import type { WorkflowErrors } from './workflow-errors.js';
import { maxErrors, nodeText } from './workflow-input.js';
import type { GroupEdgeSpec, NodeLabelSpec, NodeSpec } from './workflow-spec.types.js';

/** Most edges of a workflow, apart from those between labels. */
export const maxEdges = 1_000_000;
const maxGroups = 1000;
/** Most names of a cycle in a message. */
const maxNamed = 20;

/** Arranged workflow. */
export interface WorkflowPlan {
  readonly nodes: readonly PlannedNode[];
  readonly edges: EdgeBlock;
  readonly groups: readonly StoredNodeGroup[];
  readonly groupEdges: readonly StoredGroupEdge[];
  readonly layers: number;
}

/** Node with its place in the graph. */
export interface PlannedNode extends NodePlace {
  readonly depth: number;
  readonly total: number;
  readonly needed: number;
}

/** Arranges nodes; undefined if there are errors. */
export function planWorkflow(
  nodes: readonly NodeSpec[],
  labels: ReadonlyMap<string, NodeLabelSpec>,
  wanted: readonly GroupEdgeSpec[],
  errors: WorkflowErrors,
): WorkflowPlan | undefined {
  const positions = positionsOf(nodes, errors);
  const edges = edgesOf(nodes, positions, errors);
  const places = nodes.map(placeOf);
  const groups = groupsOf(places, labels);
  if (groups.length > maxGroups)
    errors.add(['nodes'], `${groups.length} labels`, `at most ${maxGroups} different labels`);
  for (const [position, label] of [...labels.keys()].entries())
    if (!groups.some((group) => group.label === label))
      errors.report(
        'LABEL_NOT_FOUND',
        ['nodeLabels', position, 'label'],
        `nodeLabels.${position}.label: no node has the label ${JSON.stringify(label)}`,
      );
  const groupEdges = groupEdgesOf(wanted, groups, errors);
  if (!errors.isEmpty) return undefined;
  const block = arrangeEdges(nodes.length, edges);
  const layers = layersOf(places, block, groupEdges);
  if ('cycle' in layers) {
    reportCycle(layers.cycle, nodes, groupEdges, errors);
    return undefined;
  }
  const planned = numbersOf(nodes, places, groupEdges, errors).map((numbers, at) => ({
    ...(places[at] as NodePlace),
    ...numbers,
    depth: layers.depths[at] ?? 0,
  }));
  if (!errors.isEmpty) return undefined;
  const deepest = layers.depths.reduce((most, depth) => Math.max(most, depth), 0);
  return { nodes: planned, edges: block, groups, groupEdges, layers: deepest + 1 };
}

function placeOf({ label, isFinal }: NodeSpec): NodePlace {
  return { label: label ?? '', isFinal: isFinal === true };
}

function positionsOf(nodes: readonly NodeSpec[], errors: WorkflowErrors): ReadonlyMap<string, number> {
  const positions = new Map<string, number>();
  nodes.forEach((node, at) => {
    const first = positions.get(node.name);
    if (first === undefined) positions.set(node.name, at);
    else if (errors.all.length < maxErrors)
      errors.report(
        'NODE_NAME_TAKEN',
        ['nodes', at, 'name'],
        `${nodeText(node)} occurs at positions ${first} and ${at}; names must be unique in the workflow`,
      );
  });
  return positions;
}

function edgesOf(
  nodes: readonly NodeSpec[],
  positions: ReadonlyMap<string, number>,
  errors: WorkflowErrors,
): readonly NodeEdge[] {
  const edges: NodeEdge[] = [];
  for (const [to, node] of nodes.entries()) {
    const parents = new Set<string>();
    for (const [position, { node: name, condition }] of (node.dependsOn ?? []).entries()) {
      if (errors.all.length >= maxErrors) return edges;
      const path = ['nodes', to, 'dependsOn', position, 'node'];
      const from = positions.get(name);
      const parent = from === undefined ? undefined : nodes[from];
      if (from === undefined || !parent)
        errors.report(
          'NODE_NOT_FOUND',
          path,
          `${nodeText(node)} depends on ${JSON.stringify(name.slice(0, 200))}, which is not a node of the workflow`,
        );
      else if (parents.has(name))
        errors.report('INVALID_VALUE', path, `${nodeText(node)} depends on ${JSON.stringify(name)} twice`);
      else if (parent.isFinal === true && node.isFinal !== true)
        errors.report(
          'NODE_UNREACHABLE',
          path,
          `${nodeText(node)} can never run: it depends on ${JSON.stringify(name)}, a final node, which waits for all others`,
        );
      else edges.push({ from, to, condition: condition ?? 'SUCCEEDED' });
      parents.add(name);
    }
  }
  if (edges.length > maxEdges)
    errors.add(
      ['nodes'],
      `${edges.length} edges`,
      `at most ${maxEdges} edges; use \`groupEdges\` between labels`,
      'WORKFLOW_TOO_LARGE',
    );
  return edges;
}

function groupsOf(
  places: readonly NodePlace[],
  labels: ReadonlyMap<string, NodeLabelSpec>,
): readonly StoredNodeGroup[] {
  return [...membersOf(places)].map(([{ label, isFinal }, members]) => {
    const { maxSubmitted, failureLimit } = labels.get(label) ?? {};
    return {
      ...{ label, isFinal, counts: { ...noNodes, WAITING: members.length } },
      ...(maxSubmitted == null ? {} : { maxSubmitted }),
      ...(failureLimit == null ? {} : { failureLimit }),
    };
  });
}

function groupEdgesOf(
  wanted: readonly GroupEdgeSpec[],
  groups: readonly StoredNodeGroup[],
  errors: WorkflowErrors,
): readonly StoredGroupEdge[] {
  const seen = new Set<string>();
  const edges = wanted.map((edge, position): StoredGroupEdge => {
    const pair = JSON.stringify([edge.from, edge.to, edge.condition ?? 'SUCCEEDED']);
    if (seen.has(pair))
      errors.report(
        'INVALID_VALUE',
        ['groupEdges', position],
        `groupEdges.${position}: ${edge.from} before ${edge.to} occurs twice with the same condition`,
      );
    seen.add(pair);
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

function numbersOf(
  nodes: readonly NodeSpec[],
  places: readonly NodePlace[],
  groupEdges: readonly StoredGroupEdge[],
  errors: WorkflowErrors,
): readonly { readonly total: number; readonly needed: number }[] {
  const known = new Map<string, number>();
  return nodes.map((node, at) => {
    const place = places[at] as NodePlace;
    const key = placeKey(place);
    const ofGroups = known.get(key) ?? groupEdges.filter((edge) => leadsTo(edge, place)).length;
    known.set(key, ofGroups);
    const total = (node.dependsOn?.length ?? 0) + ofGroups;
    // The edge from all other nodes to a final one is not among those that `needed` chooses from.
    const always = place.isFinal ? ofGroups : 0;
    const most = total - always;
    if (node.needed != null && (node.needed < 1 || node.needed > most))
      errors.report(
        'NODE_UNREACHABLE',
        ['nodes', String(at), 'needed'],
        `${nodeText(node)} can never run: it needs ${node.needed} edges, and ${most} lead to it; must be 1 to ${most}`,
      );
    return { total, needed: node.needed == null ? total : node.needed + always };
  });
}

function reportCycle(
  cycle: readonly number[],
  nodes: readonly NodeSpec[],
  groupEdges: readonly StoredGroupEdge[],
  errors: WorkflowErrors,
): void {
  const names = cycle.slice(0, maxNamed).map((vertex) => {
    if (vertex >= 0) return nodes[vertex]?.name ?? '';
    const { from, to } = groupEdges[-1 - vertex] ?? {};
    return from === undefined ? '(all before the final nodes)' : `(label ${from} before ${to})`;
  });
  const more = cycle.length > maxNamed ? ` → … ${cycle.length - maxNamed} more` : '';
  errors.report(
    'CYCLE',
    ['nodes'],
    `nodes: ${names.join(' → ')}${more} → ${names[0]} is a cycle; the graph must have none`,
  );
}
