/** Pure rules of nodes: outcomes of edges, states by numbers, and counts of groups. */
import {
  type EdgeCondition,
  type EdgeOutcome,
  type EndedNodeState,
  endedNodeStates,
  hasEnded,
  type NodeCounts,
  type NodeState,
  nodeStates,
  shownState,
  type StoredGroupEdge,
  type StoredNodeGroup,
  type StoredNodeState,
} from './workflow.types.js';

/** Outcome of an edge whose parent has ended in a state. */
export function edgeOutcome(condition: EdgeCondition, state: EndedNodeState): EdgeOutcome {
  return condition === 'ENDED' || condition === state ? 'MET' : 'LOST';
}

/** Numbers of a node that decide about it. */
export interface NodeNumbers {
  readonly total: number;
  readonly needed: number;
  readonly met: number;
  readonly lost: number;
}

/** State of a node that waits, by its numbers. */
export function waitingState({ total, needed, met, lost }: NodeNumbers): 'WAITING' | 'READY' | 'DOOMED' {
  if (met >= needed) return 'READY';
  return total - lost < needed ? 'DOOMED' : 'WAITING';
}

/** Place of a node: its label, and whether it is final. Nodes with the same place are a group. */
export interface NodePlace {
  readonly label: string;
  readonly isFinal: boolean;
  /** Set for a node that a payload added: no edge of groups leads to it. */
  readonly isAdded?: boolean;
}

/** No nodes. */
export const noNodes: NodeCounts = {
  WAITING: 0,
  SUBMITTED: 0,
  SUCCEEDED: 0,
  FAILED: 0,
  SKIPPED: 0,
  CANCELLED: 0,
};

/** Number of all nodes. */
export function nodesIn(counts: NodeCounts): number {
  return nodeStates.reduce((sum, state) => sum + counts[state], 0);
}

/** Number of nodes that have ended. */
export function endedIn(counts: NodeCounts): number {
  return endedNodeStates.reduce((sum, state) => sum + counts[state], 0);
}

/** Sum over groups. */
export function countsOf(groups: readonly Pick<StoredNodeGroup, 'counts'>[]): NodeCounts {
  const sum: Record<NodeState, number> = { ...noNodes };
  for (const { counts } of groups) for (const state of nodeStates) sum[state] += counts[state];
  return sum;
}

/** Groups whose nodes an edge waits for. */
export function sourcesOf(
  edge: Pick<StoredGroupEdge, 'from'>,
  groups: readonly StoredNodeGroup[],
): readonly StoredNodeGroup[] {
  return groups.filter(({ label, isFinal }) => !isFinal && (edge.from === undefined || label === edge.from));
}

/** True if an edge of groups leads from a node. */
export function leadsFrom({ from }: Pick<StoredGroupEdge, 'from'>, node: NodePlace): boolean {
  return !node.isFinal && (from === undefined || from === node.label);
}

/** True if an edge of groups leads to a node. */
export function leadsTo({ to }: Pick<StoredGroupEdge, 'to'>, node: NodePlace): boolean {
  if (node.isAdded === true) return false;
  return to === undefined ? node.isFinal : !node.isFinal && to === node.label;
}

/** Outcome of an edge of groups; undefined while it is open. */
export function groupOutcome(
  edge: StoredGroupEdge,
  groups: readonly StoredNodeGroup[],
): EdgeOutcome | undefined {
  const counts = countsOf(sourcesOf(edge, groups));
  const ended = endedIn(counts);
  const met = edge.condition === 'ENDED' ? ended : counts[edge.condition];
  if (met >= edge.needed) return 'MET';
  return nodesIn(counts) - (ended - met) < edge.needed ? 'LOST' : undefined;
}

/** State of a workflow whose nodes have all ended. @param past failures that iterations have repeated */
export function endStateOf(
  groups: readonly StoredNodeGroup[],
  isCancelled: boolean,
  past = 0,
): 'SUCCEEDED' | 'FAILED' | 'CANCELLED' {
  if (isCancelled) return 'CANCELLED';
  const { FAILED, CANCELLED } = countsOf(groups);
  return FAILED + CANCELLED > past ? 'FAILED' : 'SUCCEEDED';
}

/** Key that is equal for nodes of one group. */
export function placeKey({ label, isFinal, isAdded }: NodePlace): string {
  return `${isFinal} ${isAdded === true} ${label}`;
}

/** Positions of nodes by group, each with the first of its nodes. */
export function membersOf<Node extends NodePlace>(
  nodes: readonly Node[],
  chosen: Iterable<number> = nodes.keys(),
): ReadonlyMap<Node, readonly number[]> {
  const places = new Map<string, Node>();
  const members = new Map<Node, number[]>();
  for (const at of chosen) {
    const node = nodes[at];
    if (!node) continue;
    const key = placeKey(node);
    const place = places.get(key) ?? node;
    places.set(key, place);
    const known = members.get(place);
    if (known) known.push(at);
    else members.set(place, [at]);
  }
  return members;
}

/**
 * Edges of groups after nodes were added. One that needed all nodes of its groups needs the added ones, too;
 * one that is decided stays so until its nodes begin again.
 */
export function grownEdges(
  edges: readonly StoredGroupEdge[],
  before: readonly StoredNodeGroup[],
  after: readonly StoredNodeGroup[],
): readonly StoredGroupEdge[] {
  return edges.map((edge) => {
    if (edge.condition === 'FAILED') return edge;
    const [all, more] = [before, after].map((groups) => nodesIn(countsOf(sourcesOf(edge, groups))));
    return edge.needed === all && more !== undefined ? { ...edge, needed: more } : edge;
  });
}

/** Groups with the nodes of others, all of which wait. */
export function joinedGroups(
  groups: readonly StoredNodeGroup[],
  added: readonly StoredNodeGroup[],
): readonly StoredNodeGroup[] {
  const joined = [...groups];
  for (const group of added) {
    const at = groupAt(joined, group);
    const known = joined[at];
    if (!known) joined.push(group);
    else {
      const WAITING = known.counts.WAITING + group.counts.WAITING;
      joined[at] = { ...known, counts: { ...known.counts, WAITING } };
    }
  }
  return joined;
}

/** Node whose state changes. */
export interface NodeMove extends NodePlace {
  /** State before. */
  readonly state: StoredNodeState;
  readonly to: NodeState;
}

/** Groups after nodes have changed their states. */
export function movedGroups(
  groups: readonly StoredNodeGroup[],
  moves: Iterable<NodeMove>,
): readonly StoredNodeGroup[] {
  const changed = groups.map((group) => ({ ...group, counts: { ...group.counts } }));
  for (const { state, to, ...place } of moves) {
    const group = groupAt(groups, place);
    const counts = changed[group]?.counts;
    if (!counts) throw new RangeError(`group: ${group} does not exist; must be less than ${groups.length}`);
    counts[shownState(state)] -= 1;
    counts[to] += 1;
  }
  return changed;
}

/** Position of the group of a node. */
export function groupAt(groups: readonly NodePlace[], node: NodePlace): number {
  return groups.findIndex(({ label, isFinal }) => label === node.label && isFinal === node.isFinal);
}

/** True for a node that neither runs nor has ended. */
export function isBeforeSubmission(state: StoredNodeState): boolean {
  return !hasEnded(state) && state !== 'SUBMITTED' && state !== 'ENDING';
}
