/** For tests: nodes of workflows with sub-graphs. */
import type { NodeSpec } from '../../src/workflows/submit/workflow-spec.types.js';

/** A node with a job, behind others. */
export const node = (name: string, ...parents: readonly string[]): NodeSpec => ({
  ...{ name, payload: { command: 'true' } },
  dependsOn: parents.map((parent) => ({ node: parent })),
});

/** A node that stands for a sub-graph. */
export const unit = (
  name: string,
  template: string,
  rest: Partial<NodeSpec> = {},
  loop: object = {},
): NodeSpec => ({
  ...{ name, subgraph: { template, ...loop } },
  ...rest,
});

/** Values of a workflow apart from its graph. */
export const head = (name: string) => ({ experiment: 'alpha', name, idempotencyKey: name });
