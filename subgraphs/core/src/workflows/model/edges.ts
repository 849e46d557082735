/** Edges in memory: for each node, those that leave it, as arrays of numbers. */
import { type EdgeCondition, edgeConditions } from './workflow.types.js';

/** Edge between two nodes, by their positions. */
export interface NodeEdge {
  readonly from: number;
  readonly to: number;
  readonly condition: EdgeCondition;
}

/** Edges that leave the nodes from `first` on. */
export interface EdgeBlock {
  readonly first: number;
  /** Start of the edges of each node, and the end of the last. */
  readonly offsets: Uint32Array;
  /** Encoded by {@link encodeTarget}. */
  readonly targets: Uint32Array;
}

/** Nodes whose edges are stored together. */
export const nodesPerBlock = 1000;

const bits = 4;

/** Child and condition as one number. */
export function encodeTarget(to: number, condition: EdgeCondition): number {
  return to * bits + edgeConditions.indexOf(condition);
}

/** Child of an encoded edge. */
export function childOf(target: number): number {
  return Math.floor(target / bits);
}

/** Condition of an encoded edge. */
export function conditionOf(target: number): EdgeCondition {
  return edgeConditions[target % bits] ?? 'SUCCEEDED';
}

/** Numbers as they are stored. */
export function bytesOf(numbers: Uint32Array): Uint8Array {
  return Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** Stored numbers. They are copied, because the bytes of the driver need not begin at a multiple of four. */
export function numbersIn(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(Uint8Array.from(bytes).buffer);
}

/** Edges of a graph that is being read, in arrays that grow: a million takes 8 MB. */
export class EdgeList {
  #from = new Uint32Array(1024);
  #targets = new Uint32Array(1024);
  #length = 0;

  /** Number of edges. */
  get length(): number {
    return this.#length;
  }

  add({ from, to, condition }: NodeEdge): void {
    if (this.#length === this.#from.length) {
      this.#from = grown(this.#from);
      this.#targets = grown(this.#targets);
    }
    this.#from[this.#length] = from;
    this.#targets[this.#length] = encodeTarget(to, condition);
    this.#length += 1;
  }

  /** Arranges the edges by the nodes that they leave. */
  arrange(nodes: number): EdgeBlock {
    const from = this.#from.subarray(0, this.#length);
    const offsets = new Uint32Array(nodes + 1);
    for (const node of from) offsets[node + 1] = (offsets[node + 1] ?? 0) + 1;
    for (let node = 0; node < nodes; node += 1)
      offsets[node + 1] = (offsets[node + 1] ?? 0) + (offsets[node] ?? 0);
    const next = offsets.slice();
    const targets = new Uint32Array(this.#length);
    from.forEach((node, edge) => {
      const at = next[node] ?? 0;
      targets[at] = this.#targets[edge] ?? 0;
      next[node] = at + 1;
    });
    return { first: 0, offsets, targets };
  }
}

function grown(numbers: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(numbers.length * 2);
  larger.set(numbers);
  return larger;
}

/** Divides the edges of a whole workflow into blocks. */
export function* blocksOf({ offsets, targets }: EdgeBlock): Generator<EdgeBlock> {
  const nodes = offsets.length - 1;
  for (let first = 0; first < nodes; first += nodesPerBlock) {
    const end = Math.min(first + nodesPerBlock, nodes);
    const [from, to] = [offsets[first] ?? 0, offsets[end] ?? 0];
    yield {
      first,
      offsets: offsets.slice(first, end + 1).map((offset) => offset - from),
      targets: targets.slice(from, to),
    };
  }
}

/** Joins the blocks of a whole workflow, in order. */
export function joinBlocks(nodes: number, blocks: Iterable<EdgeBlock>): EdgeBlock {
  const all = [...blocks];
  const offsets = new Uint32Array(nodes + 1);
  const targets = new Uint32Array(all.reduce((sum, block) => sum + block.targets.length, 0));
  let start = 0;
  for (const block of all) {
    targets.set(block.targets, start);
    for (let at = 1; at < block.offsets.length; at += 1)
      offsets[block.first + at] = start + (block.offsets[at] ?? 0);
    start += block.targets.length;
  }
  return { first: 0, offsets, targets };
}

/** Edges that leave a node of a block, encoded. */
export function edgesFrom({ first, offsets, targets }: EdgeBlock, node: number): Uint32Array {
  return targets.subarray(offsets[node - first], offsets[node - first + 1]);
}
