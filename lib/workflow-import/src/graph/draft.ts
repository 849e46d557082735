/** Nodes while an import collects them. */
import type { Located } from '../text/located.js';
import type { EdgeCondition, JobPart, Payload } from '../workflow.types.js';

/** Edges with one condition from several nodes. The same array of nodes may be shared by many nodes. */
export interface DraftEdges {
  readonly from: readonly DraftNode[];
  readonly condition: EdgeCondition;
}

/** Output of another node that a node reads. */
export interface DraftRead {
  readonly from: DraftNode;
  readonly output: string;
  /** Name of the file in the working folder. */
  readonly as: string;
}

/** Nodes that are repeated, and that one node stands for. */
export interface DraftLoop {
  readonly at: Located;
  /** A name, which is made valid and unique later. */
  readonly name: string;
  readonly nodes: readonly DraftNode[];
  readonly maxIterations: number;
  /** Condition in CEL on the end of a node, after which no further iteration follows. */
  readonly until: string;
  readonly result: DraftNode;
}

/** A node to be. */
export interface DraftNode {
  /** The construct that it stands for. */
  readonly at: Located;
  /** A name, which is made valid and unique later. */
  readonly name: string;
  /** A label, which is made valid later. */
  label: string;
  readonly isFinal?: boolean;
  readonly edges: DraftEdges[];
  /** Outputs that it reads from others, on which it depends. */
  reads?: readonly DraftRead[];
  /** Number of edges whose conditions must be met; all by default. */
  needed?: number;
  /** Loop that it stands for, instead of its job. */
  readonly loop?: DraftLoop;
  job: JobPart & { readonly payload: Payload };
}

/** Nodes by label, in their order, and labels in that of their first nodes. */
export type NodesByLabel = ReadonlyMap<string, readonly DraftNode[]>;

/** Groups nodes by their labels. */
export function byLabel(nodes: readonly DraftNode[]): NodesByLabel {
  const members = new Map<string, DraftNode[]>();
  for (const node of nodes) {
    const known = members.get(node.label);
    if (known) known.push(node);
    else members.set(node.label, [node]);
  }
  return members;
}
