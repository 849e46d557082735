/** Sub-graphs of nodes as callers see them. */
import { noNodes } from '../model/node-rules.js';
import type { NodeFacts } from '../model/node.document.js';
import { namePrefix } from '../model/scopes.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { NodeCounts } from '../model/workflow.types.js';

/** Fields of a workflow from which the progress of its sub-graphs follows. */
export type ScopedWorkflow = Pick<WorkflowDocument, '_id' | 'templates' | 'additions'>;

/** Sub-graph of a node, with its iterations. */
export interface SubgraphView {
  readonly template: string;
  readonly nodeCount: number;
  readonly maxIterations: number;
  readonly until: string | null;
  readonly iteration: number;
  readonly iterations: readonly {
    readonly number: number;
    readonly namePrefix: string;
    readonly counts: NodeCounts;
  }[];
}

/** The sub-graph of a node; null for a node with a job. */
export function subgraphOf(
  node: Pick<NodeFacts, 'index' | 'name' | 'subgraph'>,
  { templates = [], additions = [] }: ScopedWorkflow,
): SubgraphView | null {
  const { subgraph, index } = node;
  const template = subgraph && templates[subgraph.template];
  if (!subgraph || !template) return null;
  const own = additions.find(({ by, scope }) => scope && by === index);
  return {
    ...{ template: template.name, nodeCount: template.nodes, maxIterations: subgraph.maxIterations },
    until: subgraph.until ?? null,
    iteration: own?.scope?.iteration ?? 0,
    iterations: (own?.calls ?? []).map(({ counts = noNodes }, at) => ({
      ...{ number: at + 1, counts },
      namePrefix: namePrefix(node, subgraph, at + 1),
    })),
  };
}

/** Node of a sub-graph that stores an output of its node, by its name; undefined if there is none. */
export function storingNode(
  node: Pick<NodeFacts, 'index' | 'name' | 'subgraph'>,
  output: string,
  { templates = [], additions = [] }: ScopedWorkflow,
): string | undefined {
  const { subgraph, index } = node;
  const iteration = additions.find(({ by, scope }) => scope && by === index)?.scope?.iteration ?? 0;
  const found = subgraph && templates[subgraph.template]?.outputs.find((one) => one.output === output);
  if (!subgraph || !found || iteration === 0) return undefined;
  return `${namePrefix(node, subgraph, iteration)}${found.node}`;
}
