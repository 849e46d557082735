/** Reads the graph of a workflow from its parts. */
import type { TimeSlices } from '../../shared/time-slices.js';
import { childOf, conditionOf, type EdgeBlock, EdgeList, numbersIn } from '../model/edges.js';
import { type NodePlace, placeKey } from '../model/node-rules.js';
import type { EdgesContent } from '../model/part.document.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { PartsRepository } from '../store/parts.repository.js';
import { checkEdgeCount, type LabelLimits, reportFinal, reportUnknown } from '../submit/graph-input.js';
import type { GraphErrors } from '../submit/workflow-errors.js';
import { maxErrors } from '../submit/workflow-input.js';
import type { GroupEdgeSpec, NodeLabelSpec } from '../submit/workflow-spec.types.js';

/** Labels of nodes, and edges between labels, from the beginning. */
export interface StoredHead {
  readonly labels: ReadonlyMap<string, NodeLabelSpec>;
  readonly groupEdges: readonly GroupEdgeSpec[];
}

/** Nodes and edges of all parts. */
export interface StoredGraph {
  readonly names: readonly string[];
  readonly places: readonly NodePlace[];
  readonly edges: EdgeBlock;
}

/** Edges between two looks at the clock. */
const edgesPerStep = 1000;

type Parts = Pick<WorkflowDocument, '_id' | 'parts' | 'nodes'>;

/** Reads the labels with these names, which may be large, and the edges between labels. */
export async function readHead(
  parts: PartsRepository,
  workflowId: string,
  names: readonly string[],
): Promise<StoredHead> {
  const labels = new Map<string, NodeLabelSpec>();
  for await (const { label } of parts.labels(workflowId, names)) labels.set(label.label, label);
  return { labels, groupEdges: await readGroupEdges(parts, workflowId) };
}

/** Reads the edges between labels. */
export async function readGroupEdges(
  parts: PartsRepository,
  workflowId: string,
): Promise<readonly GroupEdgeSpec[]> {
  const groupEdges: GroupEdgeSpec[] = [];
  for await (const piece of parts.pieces(workflowId, 'GROUP_EDGES', { from: 0, to: 0 }))
    groupEdges.push(...piece.groupEdges);
  return groupEdges;
}

/** Reads the limits of all labels without the rest, which may be large. */
export async function readLimits(
  parts: PartsRepository,
  workflowId: string,
): Promise<ReadonlyMap<string, LabelLimits>> {
  const limits = new Map<string, LabelLimits>();
  for await (const {
    label: { label, maxSubmitted, failureLimit },
  } of parts.labels(workflowId))
    limits.set(label, { label, maxSubmitted, failureLimit });
  return limits;
}

/**
 * Reads all nodes and edges, in slices of time. 100,000 nodes and a million edges take some 50 MB.
 * @returns undefined if there are errors
 */
export async function readGraph(
  parts: PartsRepository,
  { _id, parts: stored = [], nodes: count }: Parts,
  errors: GraphErrors,
  slices: TimeSlices,
): Promise<StoredGraph | undefined> {
  const all = { from: 0, to: stored.length - 1 };
  const names: string[] = [];
  const places: NodePlace[] = [];
  const known = new Map<string, NodePlace>();
  let found = 0;
  for await (const piece of parts.pieces(_id, 'NODES', all)) {
    await slices.next();
    found += piece.names.length;
    piece.names.forEach((name, at) => {
      const number = piece.places[at] ?? 0;
      const place = { label: piece.labels[number >> 1] ?? '', isFinal: (number & 1) === 1 };
      const key = placeKey(place);
      // One object for all nodes of a group.
      const shared = known.get(key) ?? place;
      known.set(key, shared);
      names[piece.first + at] = name;
      places[piece.first + at] = shared;
    });
  }
  if (names.length !== count || found !== count)
    throw new Error(`workflow ${_id}: ${found} of ${count} nodes are in its parts`);
  const positions = new Map(names.map((name, at) => [name, at]));
  const edges = new EdgeList();
  for await (const piece of parts.pieces(_id, 'EDGES', all))
    await addEdges(piece, { names, places, positions }, edges, errors, slices);
  checkEdgeCount(edges.length, errors);
  return errors.isEmpty ? { names, places, edges: edges.arrange(count) } : undefined;
}

async function addEdges(
  piece: EdgesContent,
  {
    names,
    places,
    positions,
  }: Omit<StoredGraph, 'edges'> & { readonly positions: ReadonlyMap<string, number> },
  edges: EdgeList,
  errors: GraphErrors,
  slices: TimeSlices,
): Promise<void> {
  const numbers = numbersIn(piece.edges);
  for (let at = 0; at < numbers.length && errors.all.length < maxErrors; at += 2) {
    if (at % (2 * edgesPerStep) === 0) await slices.next();
    const [to, target] = [numbers[at] ?? 0, numbers[at + 1] ?? 0];
    const parent = piece.names[childOf(target)] ?? '';
    const from = positions.get(parent);
    const node = names[to] ?? '';
    const path = ['nodes', to, 'dependsOn'];
    if (from === undefined) reportUnknown(path, node, parent, errors);
    else if (places[from]?.isFinal === true && places[to]?.isFinal !== true)
      reportFinal(path, node, parent, errors);
    else edges.add({ from, to, condition: conditionOf(target) });
  }
}
