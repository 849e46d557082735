/** Pieces in which a part is stored until the workflow is sealed, each far smaller than a document may be. */
import { setImmediate as turn } from 'node:timers/promises';
import { bytesOf, encodeTarget } from '../model/edges.js';
import {
  bytesPerEdge,
  type EdgesContent,
  type FilesContent,
  type NamesContent,
  type PartContent,
} from '../model/part.document.js';
import { placeOf } from '../submit/graph-input.js';
import { fileNeeds } from '../submit/node-files.js';
import type { ExaminedNodes } from '../submit/node-examiner.js';
import { type GivenNodes, jobOf, nodesPerTurn } from '../submit/workflow-input.js';
import type { GroupEdgeSpec, NodeSpec } from '../submit/workflow-spec.types.js';

/** Nodes of a part. */
export interface PartNodes extends Pick<GivenNodes, 'nodes' | 'labels'> {
  /** Position of the first node in the workflow. */
  readonly first: number;
  readonly head?: PartHead | undefined;
}

/** Edges between labels, which only the beginning has. Later parts and the seal need them, and the labels. */
export interface PartHead {
  readonly groupEdges: readonly GroupEdgeSpec[];
}

const nodesPerPiece = 1000;
/** Size at which a piece with edges ends, about in bytes; a name of a node has at most 800. */
const edgeBytesPerPiece = 1_048_576;
const classesPerPiece = 10_000;
const filesPerPiece = 1000;
const labelsPerPiece = 50;

/**
 * Pieces of a part: names and places, edges, requirement classes, and those of the beginning. They are made
 * in several turns of the event loop.
 */
export async function* piecesOf(
  { first, nodes, labels, head }: PartNodes,
  classOf: ExaminedNodes['classOf'],
): AsyncGenerator<PartContent> {
  for (let start = 0; start < nodes.length; start += nodesPerPiece)
    yield namesOf(first + start, nodes.slice(start, start + nodesPerPiece));
  yield* edgesOf(first, nodes);
  yield* filesOf(nodes, labels);
  const classes = new Map<string, number>();
  for (const [at, node] of nodes.entries()) {
    if (at % nodesPerTurn === nodesPerTurn - 1) await turn();
    const job = jobOf(node, labels);
    if (!job) throw new Error(`node ${first + at} was not examined`);
    const { classId } = classOf(job);
    if (!classes.has(classId)) classes.set(classId, first + at);
  }
  const all = [...classes];
  for (let start = 0; start < all.length; start += classesPerPiece) {
    const some = all.slice(start, start + classesPerPiece);
    yield { kind: 'CLASSES', classIds: some.map(([id]) => id), nodes: some.map(([, node]) => node) };
  }
  if (!head) return;
  for (const label of labels.values()) yield { kind: 'LABEL', label };
  if (head.groupEdges.length > 0) yield { kind: 'GROUP_EDGES', groupEdges: head.groupEdges };
}

/** Names and outputs have at most some 1000 characters together, and a reader at most 100 labels. */
function* filesOf(nodes: readonly NodeSpec[], known: GivenNodes['labels']): Generator<FilesContent> {
  const { files, labels } = fileNeeds(nodes, known);
  for (let start = 0; start < files.length; start += filesPerPiece)
    yield { kind: 'FILES', files: files.slice(start, start + filesPerPiece), labels: [] };
  for (let start = 0; start < labels.length; start += labelsPerPiece)
    yield { kind: 'FILES', files: [], labels: labels.slice(start, start + labelsPerPiece) };
}

function namesOf(first: number, nodes: readonly NodeSpec[]): NamesContent {
  const labels = new Map<string, number>();
  const places = nodes.map((node) => {
    const { label, isFinal } = placeOf(node);
    const at = labels.get(label) ?? labels.size;
    labels.set(label, at);
    return 2 * at + (isFinal ? 1 : 0);
  });
  const names = nodes.map(({ name }) => name);
  return { kind: 'NODES', first, names, labels: [...labels.keys()], places };
}

function* edgesOf(first: number, nodes: readonly NodeSpec[]): Generator<EdgesContent> {
  let names = new Map<string, number>();
  let numbers: number[] = [];
  let bytes = 0;
  const piece = (): EdgesContent => ({
    kind: 'EDGES',
    names: [...names.keys()],
    edges: bytesOf(Uint32Array.from(numbers)),
  });
  for (const [at, { dependsOn }] of nodes.entries())
    for (const { node, condition } of dependsOn ?? []) {
      let name = names.get(node);
      if (name === undefined) {
        name = names.size;
        names.set(node, name);
        bytes += Buffer.byteLength(node) + bytesPerEdge;
      }
      numbers.push(first + at, encodeTarget(name, condition ?? 'SUCCEEDED'));
      bytes += bytesPerEdge;
      if (bytes < edgeBytesPerPiece) continue;
      yield piece();
      [names, numbers, bytes] = [new Map(), [], 0];
    }
  if (numbers.length > 0) yield piece();
}
