/** Checked templates, as nodes and the store need them. */
import type { EdgeBlock } from '../model/edges.js';
import type { StoredSubgraph, StoredTemplate } from '../model/scopes.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { PlannedNode } from '../submit/graph-input.js';
import { storedFiles } from '../submit/node-files.js';
import type { NodeInputSpec, NodeSpec, SubgraphSpec } from '../submit/workflow-spec.types.js';

/** Where the nodes of a template come from. */
export type TemplateSource =
  | {
      readonly nodes: readonly NodeSpec[];
      readonly planned: readonly PlannedNode[];
      readonly edges: EdgeBlock;
      readonly workflow?: undefined;
    }
  | {
      readonly workflow: WorkflowDocument;
      /** Characters of the longest name of its nodes. */
      readonly longestName: number;
    };

/** Template that may be stored. */
export interface PlannedTemplate {
  /** Position in the workflow. */
  readonly position: number;
  readonly stored: StoredTemplate;
  /** Positions of its nodes by name; of those of a workflow, only of nodes that conditions are about. */
  readonly positions: ReadonlyMap<string, number>;
  readonly source: TemplateSource;
}

/** Sub-graph of a node as it is stored. */
export function storedSubgraph(
  { maxIterations, until, resultNode }: SubgraphSpec,
  { position, positions }: PlannedTemplate,
  inputs: readonly NodeInputSpec[],
): StoredSubgraph {
  return {
    ...{ template: position, maxIterations: maxIterations ?? 1 },
    ...(until == null ? {} : { until }),
    result: resultNode == null ? 0 : (positions.get(resultNode) ?? 0),
    inputs: storedFiles(inputs),
  };
}
