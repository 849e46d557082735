/** Nodes while an import collects them. */
import type { Located } from '../text/located.js';
import type { EdgeCondition, JobPart, Payload } from '../workflow.types.js';

/** Edges with one condition from several nodes. The same array of nodes may be shared by many nodes. */
export interface DraftEdges {
  readonly from: readonly DraftNode[];
  readonly condition: EdgeCondition;
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
  /** Number of edges whose conditions must be met; all by default. */
  needed?: number;
  job: JobPart & { readonly payload: Payload };
}
