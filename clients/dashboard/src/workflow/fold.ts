/**
 * The graph of a workflow that the page shows: boxes of nodes by label and layer, few enough that a person
 * can read it.
 */
import type { NodeCountsFragment, NodeMarkFragment } from '../operations.generated.js';

/** Nodes with the same label and depth, as core counts them. */
export interface LabelLayer {
  readonly label: string | null;
  readonly isFinal: boolean;
  readonly depth: number;
  readonly counts: NodeCountsFragment;
  /** Positions of the sets that edges lead to. */
  readonly dependents: readonly number[];
}

/** Nodes that are shown as one. */
export interface Box {
  readonly id: string;
  /** Label of all of its nodes; null for nodes without one, undefined for nodes with several labels. */
  readonly label: string | null | undefined;
  readonly isFinal: boolean;
  readonly minDepth: number;
  readonly maxDepth: number;
  /** Number of labels. */
  readonly labels: number;
  /** Positions of the sets in it. */
  readonly layers: readonly number[];
  /** The node of a box for one node. */
  readonly node?: NodeMarkFragment;
}

/** An arrow between two boxes, by their ids. */
export interface Arrow {
  readonly from: string;
  readonly to: string;
}

/** The boxes from the top, and the arrows between them. */
export interface BoxGraph {
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
  /** Number of layers in a box. */
  readonly layersPerBox: number;
}

/** Most boxes and arrows that a graph shows. */
export interface GraphLimits {
  readonly boxes: number;
  readonly arrows: number;
}

/** Limits that keep a graph readable, and its layout fast. */
export const readable: GraphLimits = { boxes: 100, arrows: 300 };

/**
 * Joins layers, two, four and so on at a time, and then labels, until the graph is within the limits. Sets
 * with one label stay apart for as long as possible.
 */
export function foldLayers(layers: readonly LabelLayer[], limits: GraphLimits = readable): BoxGraph {
  const deepest = layers.reduce((most, { depth }) => Math.max(most, depth), 0);
  let folded = foldBy(layers, 1, true);
  for (const isByLabel of [true, false])
    for (let size = 1; size < 2 * (deepest + 1); size *= 2) {
      folded = foldBy(layers, size, isByLabel);
      if (folded.boxes.length <= limits.boxes && folded.arrows.length <= limits.arrows) return folded;
    }
  return folded;
}

function foldBy(layers: readonly LabelLayer[], size: number, isByLabel: boolean): BoxGraph {
  const found = new Map<string, number[]>();
  const boxOf = layers.map(({ label, isFinal, depth }, at) => {
    const place = isByLabel ? `${label === null ? 0 : 1} ${label ?? ''}` : '';
    // Final nodes run after all others, and stay apart from them.
    const id = `${Math.floor(depth / size)} ${isFinal ? 1 : 0} ${place}`;
    const members = found.get(id);
    if (members) members.push(at);
    else found.set(id, [at]);
    return id;
  });
  const boxes = [...found].map(([id, members]): Box => {
    const all = members.flatMap((at) => layers[at] ?? []);
    const labels = [...new Set(all.map(({ label }) => label))];
    const depths = all.map(({ depth }) => depth);
    return {
      id,
      label: labels.length === 1 ? labels[0] : undefined,
      isFinal: all[0]?.isFinal === true,
      minDepth: Math.min(...depths),
      maxDepth: Math.max(...depths),
      labels: labels.length,
      layers: members,
    };
  });
  const pairs = layers.flatMap(({ dependents }, at) =>
    dependents.map((to): Arrow => ({ from: boxOf[at] ?? '', to: boxOf[to] ?? '' })),
  );
  return { boxes, arrows: arrowsOf(boxes, pairs), layersPerBox: size };
}

/**
 * Each arrow once, none from a box to itself, and none to final nodes but from the last boxes before them:
 * they wait for all others.
 */
function arrowsOf(boxes: readonly Box[], pairs: readonly Arrow[]): readonly Arrow[] {
  const finals = new Set(boxes.flatMap(({ id, isFinal }) => (isFinal ? [id] : [])));
  const once = new Map(
    pairs.filter(({ from, to }) => from !== to && from !== '' && to !== '').map((one) => [key(one), one]),
  );
  const arrows = [...once.values()];
  const continued = new Set(arrows.flatMap(({ from, to }) => (finals.has(to) ? [] : [from])));
  return arrows.filter(({ from, to }) => !finals.has(to) || finals.has(from) || !continued.has(from));
}

const key = ({ from, to }: Arrow): string => `${from}\n${to}`;

/** A node with the nodes that edges of its own lead to. */
export interface GraphNode extends NodeMarkFragment {
  /** Node that added it, or whose sub-graph it is part of. */
  readonly addedBy: { readonly id: string } | null;
  readonly dependents: { readonly nodes: readonly { readonly node: { readonly id: string } }[] };
}

/**
 * The graph of single nodes. The first nodes of a sub-graph, and of added ones, follow the node that has it.
 * @param groupEdges edges between labels; null is all nodes that are not final, or all that are
 * @returns null if it would have too many arrows
 */
export function graphOfNodes(
  nodes: readonly GraphNode[],
  groupEdges: readonly { readonly from: string | null; readonly to: string | null }[],
  limits: GraphLimits = readable,
): BoxGraph | null {
  const boxes = nodes.map((node): Box => {
    const { id, label, isFinal, depth } = node;
    return { id, label, isFinal, minDepth: depth, maxDepth: depth, labels: 1, layers: [], node };
  });
  const own = nodes.flatMap(({ id, dependents }) =>
    dependents.nodes.map(({ node }): Arrow => ({ from: id, to: node.id })),
  );
  const led = new Set(own.map(({ to }) => to));
  const first = nodes.flatMap(({ id, addedBy }): readonly Arrow[] =>
    addedBy === null || led.has(id) ? [] : [{ from: addedBy.id, to: id }],
  );
  const between = groupEdges.flatMap(({ from, to }) =>
    nodes
      .filter((one) => (from === null ? !one.isFinal : one.label === from && !one.isFinal))
      .flatMap((one) =>
        nodes
          .filter((other) => (to === null ? other.isFinal : other.label === to))
          .map((other): Arrow => ({ from: one.id, to: other.id })),
      ),
  );
  const arrows = arrowsOf(boxes, [...own, ...first, ...between]);
  const isReadable = boxes.length <= limits.boxes && arrows.length <= limits.arrows;
  return isReadable ? { boxes, arrows, layersPerBox: 1 } : null;
}

/** Sum of the numbers of the sets of a box. */
export function countsOf(
  { layers }: Pick<Box, 'layers'>,
  all: readonly Pick<LabelLayer, 'counts'>[],
): NodeCountsFragment {
  const sum = { total: 0, waiting: 0, submitted: 0, succeeded: 0, failed: 0, skipped: 0, cancelled: 0 };
  for (const at of layers) {
    const counts = all[at]?.counts;
    if (counts) for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += counts[name];
  }
  return sum;
}

/** Title of a box. */
export function titleOf({ label, isFinal, labels, node }: Box): string {
  if (node) return node.name;
  if (label === undefined) return `${labels} labels`;
  return label ?? (isFinal ? 'final nodes' : 'no label');
}

/** Layers of a box in words, counted from 1. */
export function layersText({ minDepth, maxDepth }: Pick<Box, 'minDepth' | 'maxDepth'>): string {
  return minDepth === maxDepth ? `layer ${minDepth + 1}` : `layers ${minDepth + 1}–${maxDepth + 1}`;
}
