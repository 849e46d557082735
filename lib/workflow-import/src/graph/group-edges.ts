/** Edges between labels in place of edges from each node to each. */
import type { Dependency, EdgeCondition, GroupEdge } from '../workflow.types.js';
import type { DraftEdges, DraftNode, NodesByLabel } from './draft.js';

/** Edges of a workflow. */
export interface ArrangedEdges {
  readonly groupEdges: readonly GroupEdge[];
  /** Edges of nodes that no edge between labels stands for. */
  readonly ofNode: (node: DraftNode) => ReadonlyMap<DraftNode, EdgeCondition>;
}

/** Most edges between labels. */
const maxGroupEdges = 1000;

/**
 * Finds the edges from all nodes with one label to each node with another, by the array that these nodes
 * share: ten thousand nodes which depend on ten thousand others cost twenty thousand steps.
 */
export function arrangeEdges(members: NodesByLabel): ArrangedEdges {
  const wholes = new WeakMap<readonly DraftNode[], string | false>();
  const wholeLabel = (from: readonly DraftNode[]): string | undefined => {
    const known = wholes.get(from) ?? wholeOf(from, members);
    wholes.set(from, known);
    return known === false ? undefined : known;
  };
  const grouped = new Set<string>();
  const groupEdges: GroupEdge[] = [];
  for (const [to, own] of members)
    for (const { from, condition } of sharedEdges(own)) {
      const label = wholeLabel(from);
      if (label === undefined || label === to || groupEdges.length >= maxGroupEdges) continue;
      const isOfAll = own.every(({ edges }) =>
        edges.some((edge) => edge.condition === condition && wholeLabel(edge.from) === label),
      );
      const key = JSON.stringify([label, to, condition]);
      if (!isOfAll || grouped.has(key)) continue;
      grouped.add(key);
      groupEdges.push({ from: label, to, ...(condition === 'SUCCEEDED' ? {} : { condition }) });
    }
  const isGrouped = (to: string, { from, condition }: DraftEdges): boolean =>
    grouped.size > 0 && grouped.has(JSON.stringify([wholeLabel(from) ?? null, to, condition]));
  return { groupEdges, ofNode: (node) => singleEdges(node, (edges) => isGrouped(node.label, edges)) };
}

/** Edges that may be edges between labels: those of the first node, if there are more nodes. */
function sharedEdges(nodes: readonly DraftNode[]): readonly DraftEdges[] {
  const [first] = nodes;
  const fits = nodes.every(({ isFinal, needed }) => isFinal !== true && needed === undefined);
  return first && nodes.length > 1 && fits ? first.edges.filter(({ from }) => from.length > 1) : [];
}

/** The label whose nodes these are, all of them; false if there is none. */
function wholeOf(from: readonly DraftNode[], members: NodesByLabel): string | false {
  const label = from[0]?.label;
  const all = label === undefined ? undefined : members.get(label);
  if (label === undefined || !all || from.some((node) => node.label !== label || node.isFinal === true))
    return false;
  return new Set(from).size === all.length ? label : false;
}

function singleEdges(
  { edges }: DraftNode,
  isGrouped: (edges: DraftEdges) => boolean,
): ReadonlyMap<DraftNode, EdgeCondition> {
  const single = new Map<DraftNode, EdgeCondition>();
  for (const group of edges)
    if (!isGrouped(group))
      // Success and failure are the stricter conditions: a node that has succeeded or failed has ended.
      for (const node of group.from) {
        const before = single.get(node);
        if (before === undefined || before === 'ENDED') single.set(node, group.condition);
      }
  return single;
}

/** Edges as core takes them. */
export function dependenciesOf(
  edges: ReadonlyMap<DraftNode, EdgeCondition>,
  nameOf: (node: DraftNode) => string,
): readonly Dependency[] {
  return [...edges].map(([node, condition]) => ({
    node: nameOf(node),
    ...(condition === 'SUCCEEDED' ? {} : { condition }),
  }));
}
