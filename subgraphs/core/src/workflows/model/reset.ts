/** Pure rules of nodes that begin again: which, and with which numbers. They need the whole workflow. */
import { childOf, conditionOf, type EdgeBlock, edgesFrom } from './edges.js';
import type { StoredAddition } from './additions.js';
import { ScopePlaces, scopesOf } from './scopes.js';
import {
  edgeOutcome,
  groupAt,
  groupOutcome,
  isBeforeSubmission,
  leadsFrom,
  leadsTo,
  membersOf,
  type NodePlace,
  noNodes,
  waitingState,
} from './node-rules.js';
import {
  type EdgeOutcome,
  hasEnded,
  type NodeEnd,
  type NodeState,
  shownState,
  type StoredGroupEdge,
  type StoredNodeGroup,
  type StoredNodeState,
} from './workflow.types.js';

/** Fields of a node that a reset needs. */
export interface ResetNode extends NodePlace {
  readonly state: StoredNodeState;
  readonly total: number;
  readonly needed: number;
  /** True if a principal ended it. */
  readonly isMarked: boolean;
  /** Set for a node that begins with an iteration of a sub-graph. */
  readonly isEntry?: boolean;
}

/** A whole workflow in memory. */
export interface WorkflowGraph {
  readonly nodes: readonly ResetNode[];
  readonly edges: EdgeBlock;
  readonly groups: readonly StoredNodeGroup[];
  readonly groupEdges: readonly StoredGroupEdge[];
  readonly additions?: readonly StoredAddition[] | undefined;
}

/** Reach of a reset: what was not done because of its nodes, or everything behind them. */
export type ResetReach = 'UNDONE' | 'ALL';

/** Nodes that change because others begin again. */
export interface ResetSets {
  /** Nodes that begin again. */
  readonly nodes: Set<number>;
  /** Nodes whose sub-graphs have ended, and go on because nodes in them begin again. */
  readonly reopened: ReadonlySet<number>;
}

/** Nodes with which a reset begins. */
export interface ResetSeeds {
  readonly seeds: readonly number[];
  readonly reach: ResetReach;
  /** False if the seeds are given another end instead. */
  readonly isSeedReset?: boolean;
  /** Nodes whose sub-graphs go on as they are. */
  readonly reopened?: readonly number[];
}

/**
 * Nodes that begin again if the seeds do.
 * @param isSeedReset false if the seeds are given another end instead
 */
export function resetNodes(
  graph: WorkflowGraph,
  seeds: readonly number[],
  reach: ResetReach,
  isSeedReset = true,
): Set<number> {
  return resetSets(graph, { seeds, reach, isSeedReset }).nodes;
}

/**
 * Nodes that begin again if the seeds do. A node with a sub-graph begins again with all nodes of this; if
 * only some of these do, its sub-graph goes on.
 */
export function resetSets(
  { nodes, edges, groupEdges, additions }: WorkflowGraph,
  { seeds, reach, isSeedReset = true, reopened: first = [] }: ResetSeeds,
): ResetSets {
  const reached = new Set(seeds);
  const kept = new Set(isSeedReset ? [] : seeds);
  const reopened = new Set(first);
  const queue = [...seeds, ...first];
  const members = membersOf(nodes);
  const followed = new Set<number>();
  const places = new ScopePlaces(additions);
  const units = new Map(scopesOf(additions).map(([, addition]) => [addition.by, addition]));
  const visit = (child: number): void => {
    const node = nodes[child];
    if (!node || reached.has(child) || !begins(node, reach)) return;
    reached.add(child);
    queue.push(child);
  };
  const visitWithin = (unit: number, from = 0): void => {
    for (const { first: start = 0, nodes: count } of units.get(unit)?.calls.slice(from) ?? [])
      for (let at = start; at < start + count; at += 1)
        if (!reached.has(at)) {
          reached.add(at);
          queue.push(at);
        }
  };
  const reopen = (child: number): void => {
    const place = places.of(child);
    const unit = place && additions?.[place.addition]?.by;
    if (unit === undefined || reached.has(unit) || reopened.has(unit)) return;
    if (!hasEnded(nodes[unit]?.state ?? 'WAITING')) return;
    reopened.add(unit);
    queue.push(unit);
  };
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (reached.has(next) && !kept.has(next)) visitWithin(next);
    // Later iterations are of an earlier run of the node, and follow again.
    else if (reopened.has(next)) visitWithin(next, units.get(next)?.scope.iteration);
    reopen(next);
    for (const target of edgesFrom(edges, next)) visit(childOf(target));
    const node = nodes[next];
    groupEdges.forEach((edge, at) => {
      if (!node || followed.has(at) || !leadsFrom(edge, node)) return;
      followed.add(at);
      for (const [place, group] of members) if (leadsTo(edge, place)) group.forEach(visit);
    });
  }
  for (const node of reached) reopened.delete(node);
  for (const seed of kept) reached.delete(seed);
  return { nodes: reached, reopened };
}

function begins({ state, isFinal, isMarked }: ResetNode, reach: ResetReach): boolean {
  if (isBeforeSubmission(state)) return true;
  if (reach === 'ALL') return true;
  // Final nodes follow the end of all others, which comes again. One that runs is in the way of that.
  if (isFinal) return true;
  return state === 'SKIPPED' && !isMarked;
}

/** Numbers and state of a node that begins again. */
export interface ResetNumbers {
  readonly node: number;
  readonly state: 'WAITING' | 'READY' | 'DOOMED';
  readonly met: number;
  readonly lost: number;
  /** See `NodeDocument.cause`; if an edge is lost. */
  readonly cause?: number;
}

/** Workflow after a reset. */
export interface Recount {
  readonly numbers: readonly ResetNumbers[];
  readonly groups: readonly StoredNodeGroup[];
  readonly groupEdges: readonly StoredGroupEdge[];
  readonly additions?: readonly StoredAddition[] | undefined;
}

/**
 * Counts the edges of the nodes that begin again. The result depends on the other nodes only, so that it may
 * be repeated after some of the nodes were changed.
 */
export function recount(
  graph: WorkflowGraph,
  reset: ReadonlySet<number>,
  marks: readonly NodeEnd[],
  reopened: ReadonlySet<number> = new Set(),
): Recount {
  const { nodes, edges } = graph;
  const marked = new Map(marks.map((mark) => [mark.node, mark.state]));
  const stateAt = (node: number): StoredNodeState =>
    marked.get(node) ??
    (reopened.has(node) ? 'SUBMITTED' : reset.has(node) ? 'WAITING' : (nodes[node]?.state ?? 'WAITING'));
  const additions = scopesAfter(graph, stateAt, { reset, reopened, marked });
  const met = new Map<number, number>();
  const lost = new Map<number, number>();
  const causes = new Map<number, number>();
  const count = (child: number, outcome: EdgeOutcome, cause: number): void => {
    const into = outcome === 'MET' ? met : lost;
    into.set(child, (into.get(child) ?? 0) + 1);
    if (outcome === 'LOST' && !causes.has(child)) causes.set(child, cause);
  };
  for (let node = 0; node < nodes.length; node += 1) {
    const state = stateAt(node);
    if (!hasEnded(state)) continue;
    for (const target of edgesFrom(edges, node)) {
      const child = childOf(target);
      if (reset.has(child)) count(child, edgeOutcome(conditionOf(target), state), node);
    }
  }
  const groups = groupsAfter(graph, stateAt);
  const moved = [...reset, ...reopened, ...marked.keys()];
  const changed = [...membersOf(nodes, moved)].map(([place]) => place);
  // All nodes behind an edge whose sources change begin again, or need its outcome no more. Of other edges,
  // only an outcome that their dependents have counted counts: the rest follows in a step of its own.
  const groupEdges = graph.groupEdges.map((edge): StoredGroupEdge => {
    if (!changed.some((node) => leadsFrom(edge, node))) return edge;
    const { outcome: _before, ...open } = edge;
    const outcome = groupOutcome(open, groups);
    return outcome ? { ...open, outcome } : open;
  });
  const members = membersOf(nodes, reset);
  for (const [at, edge] of groupEdges.entries())
    if (edge.outcome)
      for (const [place, group] of members)
        if (leadsTo(edge, place)) for (const node of group) count(node, edge.outcome, -1 - at);
  const places = new ScopePlaces(additions);
  for (const node of reset) {
    const place = nodes[node]?.isEntry === true ? places.of(node) : undefined;
    if (place && place.call < (additions?.[place.addition]?.scope?.iteration ?? 0)) count(node, 'MET', node);
  }
  const numbers = [...reset].map((node): ResetNumbers => {
    const { total, needed } = nodes[node] as ResetNode;
    const own = { met: met.get(node) ?? 0, lost: lost.get(node) ?? 0 };
    const cause = causes.get(node);
    const state = waitingState({ total, needed, ...own });
    return { node, ...own, state, ...(cause === undefined ? {} : { cause }) };
  });
  return { numbers, groups, groupEdges, additions };
}

/** Entries of sub-graphs whose nodes have other states. The result is the same if it is computed again. */
function scopesAfter(
  { additions }: WorkflowGraph,
  stateAt: (node: number) => StoredNodeState,
  {
    reset,
    reopened,
    marked,
  }: {
    readonly reset: ReadonlySet<number>;
    readonly reopened: ReadonlySet<number>;
    readonly marked: ReadonlyMap<number, unknown>;
  },
): readonly StoredAddition[] | undefined {
  return additions?.map((addition) => {
    const { scope, by } = addition;
    if (!scope) return addition;
    const calls = addition.calls.map((call) => {
      const counts: Record<NodeState, number> = { ...noNodes };
      const { first = 0, nodes } = call;
      for (let at = first; at < first + nodes; at += 1) counts[shownState(stateAt(at))] += 1;
      return { ...call, counts };
    });
    if (reset.has(by)) return { ...addition, calls, scope: { state: 'WAITING', iteration: 0 } };
    if (reopened.has(by)) return { ...addition, calls, scope: { state: 'OPEN', iteration: scope.iteration } };
    const state = hasEnded(stateAt(by)) ? 'ENDED' : scope.state;
    const own = { ...scope, state, ...(marked.has(by) ? { isMarked: true as const } : {}) };
    return { ...addition, calls, scope: own };
  });
}

function groupsAfter(
  { nodes, groups }: WorkflowGraph,
  stateAt: (node: number) => StoredNodeState,
): readonly StoredNodeGroup[] {
  const counts = groups.map((): Record<NodeState, number> => ({ ...noNodes }));
  for (const [place, members] of membersOf(nodes)) {
    const own = counts[groupAt(groups, place)];
    if (own) for (const at of members) own[shownState(stateAt(at))] += 1;
  }
  return groups.map((group, at) => ({ ...group, counts: counts[at] ?? noNodes }));
}
