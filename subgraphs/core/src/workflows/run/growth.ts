/** Changes by which the nodes of a call, or of an iteration of a sub-graph, become part of a workflow. */
import type { StoredAddedCall, StoredAddition } from '../model/additions.js';
import { grownEdges, joinedGroups, noNodes } from '../model/node-rules.js';
import type { NodeFacts } from '../model/node.document.js';
import type { StoredSubgraph } from '../model/scopes.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { WorkflowChange } from './journal.js';

/** Adds the nodes of a call behind those that the workflow has. */
export function grownBy(workflow: WorkflowDocument, at: number, position: number): WorkflowChange {
  const { additions = [] } = workflow;
  const addition = additions[at];
  const call = addition?.calls[position];
  if (!addition || !call) throw new RangeError(`call: ${at}, ${position} does not exist`);
  return withCallAt(workflow, { at, addition }, { position, call, groups: call.groups });
}

/** Node that stands for a sub-graph. */
export type Unit = Pick<NodeFacts, 'index' | 'depth'> & { readonly subgraph: StoredSubgraph };

/**
 * Begins with the next iteration of a sub-graph, whose nodes exist if an earlier run of its node had as many
 * iterations.
 */
export function nextIteration(
  workflow: WorkflowDocument,
  { index: by, depth, subgraph }: Unit,
): WorkflowChange {
  const { additions = [], templates = [] } = workflow;
  const known = additions.findIndex((one) => one.by === by);
  const at = known < 0 ? additions.length : known;
  const before: StoredAddition = additions[at] ?? { by, run: 1, attempt: 0, calls: [] };
  const position = before.scope?.iteration ?? 0;
  const addition: StoredAddition = { ...before, scope: { state: 'OPEN', iteration: position + 1 } };
  if (before.calls[position])
    return {
      step: { kind: 'ENTER', addition: at, call: position },
      patch: { additions: additions.with(at, addition) },
    };
  const template = templates[subgraph.template];
  if (!template) throw new RangeError(`template: ${subgraph.template} of ${workflow._id} does not exist`);
  const { nodes, bytes, edges, groups } = template;
  const call: StoredAddedCall = {
    ...{ key: String(position + 1), digest: template.name, nodes, bytes, edges, groups: [] },
    layers: depth + 1 + (position + 1) * template.layers,
    counts: { ...noNodes, WAITING: nodes },
  };
  return withCallAt(workflow, { at, addition }, { position, call, groups });
}

function withCallAt(
  workflow: WorkflowDocument,
  { at, addition }: { readonly at: number; readonly addition: StoredAddition },
  {
    position,
    call,
    groups: labels,
  }: {
    readonly position: number;
    readonly call: StoredAddedCall;
    readonly groups: StoredAddedCall['groups'];
  },
): WorkflowChange {
  const { additions = [], nodes, bytes = 0, layers, groups, groupEdges } = workflow;
  const added = labels.map(({ label, nodes: WAITING }) => ({
    ...{ label, isFinal: false, counts: { ...noNodes, WAITING } },
  }));
  const after = joinedGroups(groups, added);
  const calls = [...addition.calls];
  calls[position] = { ...call, first: nodes };
  const all = [...additions];
  all[at] = { ...addition, calls };
  return {
    step: { kind: 'ADD', addition: at, call: position },
    patch: {
      ...{ nodes: nodes + call.nodes, bytes: bytes + call.bytes, layers: Math.max(layers, call.layers) },
      ...{ groups: after, groupEdges: grownEdges(groupEdges, groups, after), additions: all },
    },
  };
}
