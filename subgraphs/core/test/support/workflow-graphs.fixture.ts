/** For tests of rules: any workflows, and the states in which their nodes must end. */
import { systemClock } from '@rhizome/clock';
import { InputErrors } from '@rhizome/errors';
import fc from 'fast-check';
import { TimeSlices } from '../../src/shared/time-slices.js';
import { childOf, conditionOf, edgesFrom } from '../../src/workflows/model/edges.js';
import { edgeOutcome, leadsFrom, leadsTo } from '../../src/workflows/model/node-rules.js';
import {
  type EndedNodeState,
  hasEnded,
  type StoredNodeState,
} from '../../src/workflows/model/workflow.types.js';
import { planWorkflow, type WorkflowPlan } from '../../src/workflows/submit/graph-input.js';
import type { WorkflowErrorCode } from '../../src/workflows/submit/workflow-errors.js';
import type { GroupEdgeSpec, NodeSpec } from '../../src/workflows/submit/workflow-spec.types.js';

const conditions = fc.constantFrom('SUCCEEDED' as const, 'ENDED' as const, 'FAILED' as const);
const labels = ['a', 'b', 'c'];

/** Nodes depend on earlier ones, and labels follow the order of nodes, so that there is no cycle. */
export const graphs = fc
  .array(
    fc.record({
      parents: fc.uniqueArray(fc.tuple(fc.nat(), conditions), { selector: ([at]) => at, maxLength: 4 }),
      needed: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
      isFinal: fc.boolean(),
    }),
    { minLength: 1, maxLength: 18 },
  )
  .map((made): readonly NodeSpec[] => {
    const finals = made.slice(-3).map(({ isFinal }) => isFinal);
    const firstFinal = made.length - finals.length + Math.max(0, finals.indexOf(true));
    return made.map(({ parents, needed }, at): NodeSpec => {
      const isFinal = finals.includes(true) && at >= firstFinal && at > 0;
      const dependsOn = [
        ...new Map(
          parents.flatMap(([parent, condition]) =>
            at === 0 ? [] : [[parent % at, { node: `n${parent % at}`, condition }] as const],
          ),
        ).values(),
      ];
      return {
        name: `n${at}`,
        label: labels[Math.floor((at * labels.length) / made.length)] ?? 'c',
        isFinal,
        dependsOn,
        ...(needed !== undefined && needed <= dependsOn.length ? { needed } : {}),
      };
    });
  });
/** Edges between the labels; some may have no nodes. */
export const groupEdges = fc.array(
  fc.record({
    pair: fc.constantFrom(['a', 'b'], ['b', 'c'], ['a', 'c']),
    condition: conditions,
  }),
  { maxLength: 3 },
);

/** Arranges a graph without the edges between labels that no node has; undefined if it has errors. */
export async function planOf(
  nodes: readonly NodeSpec[],
  wanted: readonly GroupEdgeSpec[],
): Promise<WorkflowPlan | undefined> {
  const errors = new InputErrors<WorkflowErrorCode>();
  const known = wanted.filter(({ from, to }) =>
    [from, to].every((label) => nodes.some((node) => node.label === label && node.isFinal !== true)),
  );
  const slices = new TimeSlices(systemClock, 10);
  return planWorkflow(nodes, { labels: new Map(), groupEdges: known }, errors, slices);
}

/** End states of jobs by node. */
export const outcomes = fc.array(fc.constantFrom('SUCCEEDED' as const, 'FAILED' as const), {
  minLength: 18,
  maxLength: 18,
});

/** Edges between labels as a caller gives them. */
export const edgesOf = (
  made: readonly { readonly pair: readonly string[]; readonly condition: GroupEdgeSpec['condition'] }[],
) => made.map(({ pair: [from = '', to = ''], condition }): GroupEdgeSpec => ({ from, to, condition }));

/** States of all nodes, by the end states of those before them. */
export function modelOf(
  plan: WorkflowPlan,
  outcome: (node: number) => EndedNodeState,
): readonly EndedNodeState[] {
  const states: EndedNodeState[] = [];
  const order = plan.nodes.map((_, at) => at).sort((a, b) => depthAt(a) - depthAt(b));
  function depthAt(at: number): number {
    return plan.nodes[at]?.depth ?? 0;
  }
  for (const at of order) {
    const met = metEdges(plan, states, at);
    states[at] = met >= (plan.nodes[at]?.needed ?? 0) ? outcome(at) : 'SKIPPED';
  }
  return states;
}

/** Number of met edges of a node, by the states of the others. */
export function metEdges(
  plan: WorkflowPlan,
  states: readonly (StoredNodeState | undefined)[],
  at: number,
): number {
  const node = plan.nodes[at];
  if (!node) throw new Error(`no node ${at}`);
  let met = 0;
  states.forEach((state, parent) => {
    if (state === undefined || !hasEnded(state)) return;
    for (const target of edgesFrom(plan.edges, parent))
      if (childOf(target) === at && edgeOutcome(conditionOf(target), state) === 'MET') met += 1;
  });
  for (const edge of plan.groupEdges) {
    if (!leadsTo(edge, node)) continue;
    const meeting = plan.nodes.filter((source, parent) => {
      const state = states[parent];
      return leadsFrom(edge, source) && state !== undefined && hasEnded(state)
        ? edgeOutcome(edge.condition, state) === 'MET'
        : false;
    });
    if (meeting.length >= edge.needed) met += 1;
  }
  return met;
}
