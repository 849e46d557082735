/** Checks the graph of a workflow, and arranges it: positions instead of names, edges, depths. */
import type { InputPath } from '@rhizome/errors';
import type { TimeSlices } from '../../shared/time-slices.js';
import { type EdgeBlock, EdgeList } from '../model/edges.js';
import { layersOf } from '../model/layers.js';
import { leadsTo, membersOf, type NodePlace, noNodes, placeKey } from '../model/node-rules.js';
import type { StoredGroupEdge, StoredNodeGroup } from '../model/workflow.types.js';
import { groupEdgesOf, reportCycle } from './group-edges.js';
import type { GraphErrors, WorkflowErrors } from './workflow-errors.js';
import { maxErrors, maxNodes, maxStoredBytes, nodeText } from './workflow-input.js';
import type { GroupEdgeSpec, NodeLabelSpec, NodeSpec } from './workflow-spec.types.js';

/** Most edges of a workflow, apart from those between labels. */
export const maxEdges = 1_000_000;
const maxGroups = 1000;
/** Nodes between two looks at the clock. */
const nodesPerStep = 100;

/** Limits of a label. */
export type LabelLimits = Pick<NodeLabelSpec, 'label' | 'maxSubmitted' | 'failureLimit'>;

/** Nodes whose edges are arranged by position. */
export interface GraphInput {
  readonly names: readonly string[];
  readonly places: readonly NodePlace[];
  readonly edges: EdgeBlock;
  readonly labels: ReadonlyMap<string, LabelLimits>;
  readonly groupEdges: readonly GroupEdgeSpec[];
}

/** Arranged graph. */
export interface GraphPlan {
  readonly groups: readonly StoredNodeGroup[];
  readonly groupEdges: readonly StoredGroupEdge[];
  /** By position. */
  readonly depths: Uint32Array;
  readonly layers: number;
}

/** Arranged workflow. */
export interface WorkflowPlan extends Omit<GraphPlan, 'depths'> {
  readonly nodes: readonly PlannedNode[];
  readonly edges: EdgeBlock;
}

/** Numbers of edges that lead to a node, see `NodeDocument`. */
export interface EdgeNumbers {
  readonly total: number;
  readonly needed: number;
}

/** Node with its place in the graph. */
export interface PlannedNode extends NodePlace, EdgeNumbers {
  readonly depth: number;
}

/** Numbers of a workflow that parts and added nodes raise. */
export interface WorkflowTotals {
  readonly nodes: number;
  readonly bytes: number;
  readonly edges: number;
  readonly groups: number;
}

/** Arranges nodes, in slices of time; undefined if there are errors. */
export async function planWorkflow(
  nodes: readonly NodeSpec[],
  { labels, groupEdges }: Pick<GraphInput, 'labels' | 'groupEdges'>,
  errors: WorkflowErrors,
  slices: TimeSlices,
): Promise<WorkflowPlan | undefined> {
  const positions = positionsOf(nodes, errors);
  const edges = (await edgesOf(nodes, positions, errors, slices)).arrange(nodes.length);
  const names = nodes.map(({ name }) => name);
  const places = nodes.map(placeOf);
  const plan = await planGraph({ names, places, edges, labels, groupEdges }, errors, slices);
  const numbers = plan && numbersOf(nodes, plan.groupEdges, errors);
  if (!plan || !numbers || !errors.isEmpty) return undefined;
  const { depths, ...arranged } = plan;
  const planned = numbers.map((own, at) => ({
    ...(places[at] as NodePlace),
    ...own,
    depth: depths[at] ?? 0,
  }));
  return { ...arranged, nodes: planned, edges };
}

/** Arranges a graph whose edges are known, in slices of time; undefined if there are errors. */
export async function planGraph(
  { names, places, edges, labels, groupEdges: wanted }: GraphInput,
  errors: GraphErrors,
  slices: TimeSlices,
): Promise<GraphPlan | undefined> {
  const groups = groupsOf(places, labels, errors);
  for (const [position, label] of [...labels.keys()].entries())
    if (!groups.some((group) => group.label === label))
      errors.report(
        'LABEL_NOT_FOUND',
        ['nodeLabels', position, 'label'],
        `nodeLabels.${position}.label: no node has the label ${JSON.stringify(label)}`,
      );
  const groupEdges = groupEdgesOf(wanted, groups, errors);
  if (!errors.isEmpty) return undefined;
  const layers = await layersOf(places, edges, groupEdges, slices);
  if ('cycle' in layers) {
    reportCycle('nodes', layers.cycle, { names, groupEdges }, errors);
    return undefined;
  }
  const { depths } = layers;
  const deepest = depths.reduce((most, depth) => Math.max(most, depth), 0);
  return { groups, groupEdges, depths, layers: deepest + 1 };
}

/** Place of a node. */
export function placeOf({ label, isFinal }: NodeSpec): NodePlace {
  return { label: label ?? '', isFinal: isFinal === true };
}

/** Positions of nodes by name; a name that occurs twice is an error. */
export function positionsOf(nodes: readonly NodeSpec[], errors: WorkflowErrors): ReadonlyMap<string, number> {
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

async function edgesOf(
  nodes: readonly NodeSpec[],
  positions: ReadonlyMap<string, number>,
  errors: GraphErrors,
  slices: TimeSlices,
): Promise<EdgeList> {
  const edges = new EdgeList();
  for (const [to, node] of nodes.entries()) {
    if (to % nodesPerStep === 0) await slices.next();
    const parents = new Set<string>();
    for (const [position, { node: name, condition }] of (node.dependsOn ?? []).entries()) {
      if (errors.all.length >= maxErrors) return edges;
      const path = ['nodes', to, 'dependsOn', position, 'node'];
      const from = positions.get(name);
      const parent = from === undefined ? undefined : nodes[from];
      if (from === undefined || !parent) reportUnknown(path, node.name, name, errors);
      else if (parents.has(name)) reportTwice(path, node, name, errors);
      else if (parent.isFinal === true && node.isFinal !== true) reportFinal(path, node.name, name, errors);
      else edges.add({ from, to, condition: condition ?? 'SUCCEEDED' });
      parents.add(name);
    }
  }
  checkEdgeCount(edges.length, errors);
  return edges;
}

/** Reports a node that depends on one which does not exist. */
export function reportUnknown(path: InputPath, node: string, parent: string, errors: GraphErrors): void {
  const named = JSON.stringify(parent.slice(0, 200));
  const text = `${nodeText({ name: node })} depends on ${named}, which is not a node of the workflow`;
  errors.report('NODE_NOT_FOUND', path, text);
}

/** Reports a node that depends on another twice. */
export function reportTwice(path: InputPath, node: NodeSpec, parent: string, errors: GraphErrors): void {
  const named = JSON.stringify(parent.slice(0, 200));
  errors.report('INVALID_VALUE', path, `${nodeText(node)} depends on ${named} twice`);
}

/** Reports a node that depends on a final one. */
export function reportFinal(path: InputPath, node: string, parent: string, errors: GraphErrors): void {
  const text = `${nodeText({ name: node })} can never run: it depends on ${JSON.stringify(parent)}, a final node, which waits for all others`;
  errors.report('NODE_UNREACHABLE', path, text);
}

/** Refuses a workflow with too many edges. */
export function checkEdgeCount(edges: number, errors: GraphErrors): void {
  if (edges > maxEdges)
    errors.add(
      ['nodes'],
      `${edges} edges`,
      `at most ${maxEdges} edges; use \`groupEdges\` between labels`,
      'WORKFLOW_TOO_LARGE',
    );
}

/** Refuses nodes with which the workflow would be too large. */
export function checkTotals({ nodes, bytes, edges, groups }: WorkflowTotals, errors: GraphErrors): void {
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

/** Groups of nodes, all of which wait. */
export function groupsOf(
  places: readonly NodePlace[],
  labels: ReadonlyMap<string, LabelLimits>,
  errors: GraphErrors,
): readonly StoredNodeGroup[] {
  const groups = [...membersOf(places)].map(([{ label, isFinal }, members]) => {
    const { maxSubmitted, failureLimit } = labels.get(label) ?? {};
    return {
      ...{ label, isFinal, counts: { ...noNodes, WAITING: members.length } },
      ...(maxSubmitted == null ? {} : { maxSubmitted }),
      ...(failureLimit == null ? {} : { failureLimit }),
    };
  });
  checkGroupCount(groups.length, errors);
  return groups;
}

/** Refuses a workflow with too many labels. */
export function checkGroupCount(groups: number, errors: GraphErrors): void {
  if (groups > maxGroups) errors.add(['nodes'], `${groups} labels`, `at most ${maxGroups} different labels`);
}

/** Numbers of the edges that lead to nodes. */
export function numbersOf(
  nodes: readonly NodeSpec[],
  groupEdges: readonly Pick<StoredGroupEdge, 'to'>[],
  errors: GraphErrors,
): readonly EdgeNumbers[] {
  const known = new Map<string, number>();
  return nodes.map((node, at) => {
    const place = placeOf(node);
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
