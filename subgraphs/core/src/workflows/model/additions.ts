/** Nodes that are added to running workflows: by payloads, and by sub-graphs. */
import { nodesPerBlock } from './edges.js';
import type { NodeCounts } from './workflow.types.js';

/** Nodes of one call. */
export interface StoredAddedCall {
  /** Idempotency key. */
  readonly key: string;
  readonly digest: string;
  readonly nodes: number;
  readonly bytes: number;
  readonly edges: number;
  /** Layers of the workflow with them. */
  readonly layers: number;
  /** Their labels, with the numbers of nodes; at most 20. */
  readonly groups: readonly { readonly label: string; readonly nodes: number }[];
  /** Position of the first node in the workflow; absent until the node that adds them has succeeded. */
  readonly first?: number;
  /** Numbers of the nodes of an iteration by state; absent for nodes that a payload adds. */
  readonly counts?: NodeCounts;
}

/** Progress of the sub-graph of a node. Its iterations are the calls of the entry. */
export interface StoredScope {
  /** OPEN while its node is SUBMITTED. */
  readonly state: 'WAITING' | 'OPEN' | 'ENDED';
  /** Number of iterations that have begun; later ones were added in an earlier run of the node. */
  readonly iteration: number;
  /** Cancellation of the node while it was open. */
  readonly cancelled?: { readonly by: string; readonly reason?: string };
  /** Set if the node was ended by hand: failures of its nodes count no more. */
  readonly isMarked?: true;
}

/** Nodes that an attempt of a node adds, or the iterations of its sub-graph; one entry for each node. */
export interface StoredAddition {
  /** Position of the node that adds them. */
  readonly by: number;
  /** Run of that node, and attempt of its job. */
  readonly run: number;
  readonly attempt: number;
  readonly calls: readonly StoredAddedCall[];
  /** Absent for a node whose payload adds nodes. */
  readonly scope?: StoredScope;
}

/** Most calls of an attempt that add nodes. */
export const maxCallsPerAttempt = 20;
/** Most nodes of a workflow that add some. */
export const maxAdders = 1000;
/** Most calls of all of them together. */
export const maxCalls = 2000;

/** Fields of a workflow from which the places of its nodes follow. */
interface Grown {
  readonly nodes: number;
  readonly additions?: readonly StoredAddition[];
}

/** Part of the nodes whose edges are stored together, in blocks. */
export interface Segment {
  readonly first: number;
  readonly nodes: number;
}

/** Nodes of the submission, then those of each call, in the order of their positions. */
export function segmentsOf(workflow: Grown): readonly Segment[] {
  const added = (workflow.additions ?? [])
    .flatMap(({ calls }) => calls)
    .flatMap(({ first, nodes }) => (first === undefined ? [] : [{ first, nodes }]))
    .sort((one, other) => one.first - other.first);
  return [{ first: 0, nodes: added[0]?.first ?? workflow.nodes }, ...added];
}

/** Number of the nodes that were submitted; those behind them were added. */
export function submittedNodes(workflow: Grown): number {
  return segmentsOf(workflow)[0]?.nodes ?? 0;
}

/** Position of the first node of the block with the edges of a node. */
export function blockStart(node: number, segments: readonly Segment[]): number {
  const { first } = segments.findLast((segment) => segment.first <= node) ?? { first: 0 };
  return node - ((node - first) % nodesPerBlock);
}

/** Positions of the first nodes of all blocks, in order. */
export function blockStarts(segments: readonly Segment[]): readonly number[] {
  return segments.flatMap(({ first, nodes }) =>
    Array.from({ length: Math.ceil(nodes / nodesPerBlock) }, (_, at) => first + at * nodesPerBlock),
  );
}

/**
 * Entries with a further call of an attempt, which replaces those of earlier attempts that were not added.
 * @returns the new entry and all; undefined if a later attempt has made calls
 */
export function withCall(
  additions: readonly StoredAddition[] = [],
  { by, run, attempt }: Omit<StoredAddition, 'calls'>,
  call: StoredAddedCall,
): { readonly addition: StoredAddition; readonly additions: readonly StoredAddition[] } | undefined {
  const at = additions.findIndex((one) => one.by === by);
  const before = additions[at];
  if (before && (before.run > run || (before.run === run && before.attempt > attempt))) return undefined;
  const isSame = before?.run === run && before.attempt === attempt;
  // The places of nodes that exist follow from their calls.
  const kept = before?.calls.filter(({ first }) => isSame || first !== undefined) ?? [];
  const addition: StoredAddition = { by, run, attempt, calls: [...kept, call] };
  return { addition, additions: at < 0 ? [...additions, addition] : additions.with(at, addition) };
}

/** Entries without nodes that will not be added because their node has ended otherwise, or runs again. */
export function withoutPending(
  additions: readonly StoredAddition[],
  ended: ReadonlySet<number>,
): readonly StoredAddition[] {
  return additions.flatMap((addition) => {
    if (!ended.has(addition.by)) return [addition];
    const calls = addition.calls.filter(({ first }) => first !== undefined);
    return calls.length === 0 ? [] : [{ ...addition, calls }];
  });
}

/** Totals of nodes that will be added if their attempts succeed. */
export function pendingTotals(additions: readonly StoredAddition[] = []): {
  readonly nodes: number;
  readonly bytes: number;
} {
  let [nodes, bytes] = [0, 0];
  for (const { calls } of additions)
    for (const call of calls)
      if (call.first === undefined) {
        nodes += call.nodes;
        bytes += call.bytes;
      }
  return { nodes, bytes };
}

/** Number of the edges between nodes that were added or will be; those of the submission are not stored. */
export function addedEdges(additions: readonly StoredAddition[]): number {
  return additions.flatMap(({ calls }) => calls).reduce((sum, { edges }) => sum + edges, 0);
}
