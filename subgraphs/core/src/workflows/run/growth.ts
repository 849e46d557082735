/** Change by which the nodes of a call become part of a workflow. */
import { grownEdges, joinedGroups, noNodes } from '../model/node-rules.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { WorkflowChange } from './journal.js';

/** Adds the nodes of a call behind those that the workflow has. */
export function grownBy(workflow: WorkflowDocument, at: number, position: number): WorkflowChange {
  const { additions = [], nodes, bytes = 0, layers, groups, groupEdges } = workflow;
  const addition = additions[at];
  const call = addition?.calls[position];
  if (!addition || !call) throw new RangeError(`call: ${at}, ${position} does not exist`);
  const added = call.groups.map(({ label, nodes: WAITING }) => ({
    ...{ label, isFinal: false, counts: { ...noNodes, WAITING } },
  }));
  const after = joinedGroups(groups, added);
  const calls = addition.calls.with(position, { ...call, first: nodes });
  return {
    step: { kind: 'ADD', addition: at, call: position },
    patch: {
      ...{ nodes: nodes + call.nodes, bytes: bytes + call.bytes, layers: Math.max(layers, call.layers) },
      ...{ groups: after, groupEdges: grownEdges(groupEdges, groups, after) },
      additions: additions.with(at, { ...addition, calls }),
    },
  };
}
