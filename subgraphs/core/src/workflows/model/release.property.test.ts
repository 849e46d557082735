/** The rules of release, against a model that looks at a whole graph whose nodes have all ended. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  edgesOf,
  graphs,
  groupEdges,
  metEdges,
  modelOf,
  outcomes,
  planOf,
} from '../../../test/support/workflow-graphs.fixture.js';
import type { WorkflowPlan } from '../submit/graph-input.js';
import { blocksOf, childOf, conditionOf, edgesFrom, joinBlocks } from './edges.js';
import { bitsOfNodes, nodesFromBits } from './node-bits.js';
import { edgeOutcome, groupOutcome, leadsTo, movedGroups, waitingState } from './node-rules.js';
import { recount, type ResetNode, resetNodes } from './reset.js';
import {
  type EndedNodeState,
  hasEnded,
  type StoredGroupEdge,
  type StoredNodeGroup,
  type StoredNodeState,
} from './workflow.types.js';

/** A workflow that steps change, in any order of the ends of its jobs. */
class Run {
  readonly nodes: (ResetNode & { state: StoredNodeState; met: number; lost: number })[];
  groups: readonly StoredNodeGroup[];
  groupEdges: readonly StoredGroupEdge[];

  constructor(
    readonly plan: WorkflowPlan,
    readonly outcome: (node: number) => EndedNodeState,
  ) {
    this.groups = plan.groups;
    this.groupEdges = plan.groupEdges;
    this.nodes = plan.nodes.map((node) => {
      const numbers = { ...node, met: 0, lost: 0 };
      return { ...numbers, state: waitingState(numbers), isMarked: false };
    });
  }

  /** Takes steps until nothing is left to do. @param pick chooses among the nodes that may change */
  run(pick: (many: number) => number): void {
    for (;;) {
      const edge = this.groupEdges.findIndex((one) => !one.outcome && groupOutcome(one, this.groups));
      if (edge >= 0) {
        this.#applyGroup(edge);
        continue;
      }
      const othersHaveEnded = this.nodes.every(({ isFinal, state }) => isFinal || hasEnded(state));
      const due = this.nodes.flatMap(({ isFinal, state }, at) =>
        (state === 'READY' && (!isFinal || othersHaveEnded)) || state === 'DOOMED' ? [at] : [],
      );
      const node = due[pick(due.length)];
      if (node === undefined) return;
      this.#end(node, this.nodes[node]?.state === 'DOOMED' ? 'SKIPPED' : this.outcome(node));
    }
  }

  #end(at: number, state: EndedNodeState): void {
    const node = this.nodes[at];
    if (!node) throw new Error(`no node ${at}`);
    this.groups = movedGroups(this.groups, [{ ...node, to: state }]);
    node.state = state;
    for (const target of edgesFrom(this.plan.edges, at))
      this.#add(childOf(target), edgeOutcome(conditionOf(target), state));
  }

  #applyGroup(at: number): void {
    const edge = this.groupEdges[at];
    const outcome = edge && groupOutcome(edge, this.groups);
    if (!edge || !outcome) throw new Error(`edge ${at} is open`);
    this.groupEdges = this.groupEdges.with(at, { ...edge, outcome });
    this.nodes.forEach((node, child) => {
      if (leadsTo(edge, node)) this.#add(child, outcome);
    });
  }

  #add(child: number, outcome: 'MET' | 'LOST'): void {
    const node = this.nodes[child];
    if (!node) throw new Error(`no node ${child}`);
    if (outcome === 'MET') node.met += 1;
    else node.lost += 1;
    if (node.state === 'WAITING') node.state = waitingState(node);
  }

  /** Lets nodes begin again. */
  reset(seeds: readonly number[], reach: 'UNDONE' | 'ALL'): ReadonlySet<number> {
    const graph = {
      nodes: this.nodes,
      edges: this.plan.edges,
      groups: this.groups,
      groupEdges: this.groupEdges,
    };
    const chosen = nodesFromBits(bitsOfNodes(resetNodes(graph, seeds, reach)));
    const after = recount(graph, chosen, []);
    for (const { node: at, ...numbers } of after.numbers) Object.assign(this.nodes[at] ?? {}, numbers);
    // A repetition finds the nodes changed, and must come to the same numbers.
    expect(recount(graph, chosen, []).numbers).toEqual(after.numbers);
    this.groups = after.groups;
    this.groupEdges = after.groupEdges;
    return chosen;
  }

  states(): readonly StoredNodeState[] {
    return this.nodes.map(({ state }) => state);
  }
}

const picks = fc.array(fc.nat(), { minLength: 1, maxLength: 40 });
const pickBy = (numbers: readonly number[]) => {
  let at = 0;
  return (many: number): number => (many === 0 ? -1 : (numbers[at++ % numbers.length] ?? 0) % many);
};

describe('release of nodes', () => {
  it('ends every node as the whole graph says, in any order of ends', async () => {
    await fc.assert(
      fc.asyncProperty(graphs, groupEdges, outcomes, picks, async (nodes, wanted, ends, order) => {
        const plan = await planOf(nodes, edgesOf(wanted));
        fc.pre(plan !== undefined);
        const outcome = (at: number): EndedNodeState => ends[at] ?? 'SUCCEEDED';
        const run = new Run(plan, outcome);
        run.run(pickBy(order));
        expect(run.states()).toEqual(modelOf(plan, outcome));
        expect(run.groups.map(({ counts }) => counts.WAITING)).toEqual(run.groups.map(() => 0));
      }),
    );
  });

  it('ends every node as the whole graph says when everything behind a node runs again', async () => {
    await fc.assert(
      fc.asyncProperty(
        graphs,
        groupEdges,
        outcomes,
        picks,
        fc.nat(),
        async (nodes, wanted, ends, order, chosen) => {
          const plan = await planOf(nodes, edgesOf(wanted));
          fc.pre(plan !== undefined);
          const seed = chosen % nodes.length;
          let isChanged = false;
          const other = (state: EndedNodeState): EndedNodeState =>
            state === 'FAILED' ? 'SUCCEEDED' : 'FAILED';
          const outcome = (at: number): EndedNodeState => {
            const end = ends[at] ?? 'SUCCEEDED';
            return isChanged && at === seed ? other(end) : end;
          };
          const run = new Run(plan, outcome);
          run.run(pickBy(order));
          isChanged = true;
          run.reset([seed], 'ALL');
          run.run(pickBy(order));
          expect(run.states()).toEqual(modelOf(plan, outcome));
        },
      ),
    );
  });

  it('runs what has failed again, and what was skipped because of it, and keeps what succeeded', async () => {
    await fc.assert(
      fc.asyncProperty(graphs, groupEdges, outcomes, picks, async (nodes, wanted, ends, order) => {
        const plan = await planOf(nodes, edgesOf(wanted));
        fc.pre(plan !== undefined);
        let isRetried = false;
        const run = new Run(plan, (at) => (isRetried ? 'SUCCEEDED' : (ends[at] ?? 'SUCCEEDED')));
        run.run(pickBy(order));
        const before = run.states();
        isRetried = true;
        const failed = before.flatMap((state, at) => (state === 'FAILED' ? [at] : []));
        const reset = run.reset(failed, 'UNDONE');
        run.run(pickBy(order));
        expect(run.states()).not.toContain('FAILED');
        run.states().forEach((state, at) => {
          expect(hasEnded(state)).toBe(true);
          if (!reset.has(at)) expect(state).toBe(before[at]);
          // A node that began again has counted each edge once.
          else expect(run.nodes[at]?.met).toBe(metEdges(plan, run.states(), at));
        });
      }),
    );
  });

  it('keeps edges through their stored form', async () => {
    await fc.assert(
      fc.asyncProperty(graphs, async (nodes) => {
        const plan = await planOf(nodes, []);
        fc.pre(plan !== undefined);
        expect(joinBlocks(nodes.length, blocksOf(plan.edges))).toEqual(plan.edges);
      }),
    );
  });
});
