/** Largest sums of nodes, bytes and edges that a workflow may have with all iterations of its sub-graphs. */
import { maxAdders, maxCalls } from '../model/additions.js';
import { maxNesting } from '../model/scopes.js';
import { checkTotals } from '../submit/graph-input.js';
import type { WorkflowErrors } from '../submit/workflow-errors.js';
import type { NodeSpec } from '../submit/workflow-spec.types.js';

/** Most characters of the name of a node. */
const maxName = 200;
const maxShown = 20;

/** Graph that has nodes with sub-graphs: the workflow, or a template. */
export interface NestingGraph {
  /** Absent for the workflow. */
  readonly name?: string;
  readonly nodes: number;
  readonly bytes: number;
  readonly edges: number;
  /** Characters of the longest name of a node. */
  readonly longestName: number;
  /** Nodes with sub-graphs. */
  readonly units: readonly NodeSpec[];
}

/** Totals of a graph with all that its sub-graphs may add. */
export interface NestedTotals {
  readonly nodes: number;
  readonly bytes: number;
  readonly edges: number;
  /** Nodes with sub-graphs, and iterations of these. */
  readonly units: number;
  readonly iterations: number;
  readonly nesting: number;
  readonly longestName: number;
}

/** Totals of a workflow; undefined if templates contain themselves, which is an error. */
export function nestedTotals(
  graph: NestingGraph,
  templates: ReadonlyMap<string, NestingGraph>,
  errors: WorkflowErrors,
): NestedTotals | undefined {
  const known = new Map<NestingGraph, NestedTotals>();
  const open: NestingGraph[] = [];
  const totalsOf = (one: NestingGraph): NestedTotals | undefined => {
    const found = known.get(one);
    if (found) return found;
    if (open.includes(one)) {
      reportCycle([...open.slice(open.indexOf(one)), one], errors);
      return undefined;
    }
    open.push(one);
    let sum: NestedTotals = {
      ...{ nodes: one.nodes, bytes: one.bytes, edges: one.edges, longestName: one.longestName },
      ...{ units: 0, iterations: 0, nesting: 0 },
    };
    for (const { name, subgraph } of one.units) {
      const template = templates.get(subgraph?.template ?? '');
      const inner = template && totalsOf(template);
      if (!inner) {
        open.pop();
        return undefined;
      }
      sum = withUnit(sum, inner, { name, times: subgraph?.maxIterations ?? 1 });
    }
    open.pop();
    known.set(one, sum);
    return sum;
  };
  return totalsOf(graph);
}

function withUnit(
  sum: NestedTotals,
  inner: NestedTotals,
  { name, times }: { readonly name: string; readonly times: number },
): NestedTotals {
  const iteration = times > 1 ? String(times).length + 1 : 0;
  return {
    nodes: sum.nodes + times * inner.nodes,
    bytes: sum.bytes + times * inner.bytes,
    edges: sum.edges + times * inner.edges,
    units: sum.units + 1 + times * inner.units,
    iterations: sum.iterations + times * (1 + inner.iterations),
    nesting: Math.max(sum.nesting, 1 + inner.nesting),
    longestName: Math.max(sum.longestName, name.length + 1 + iteration + inner.longestName),
  };
}

function reportCycle(path: readonly NestingGraph[], errors: WorkflowErrors): void {
  const names = path.slice(0, maxShown).map(({ name }) => name ?? 'the workflow');
  errors.report('CYCLE', ['templates'], `templates: ${names.join(' → ')} contain each other; must not`);
}

/** Refuses a workflow that its sub-graphs would make too large. */
export function checkNested(
  { nodes, bytes, edges, units, iterations, nesting, longestName }: NestedTotals,
  errors: WorkflowErrors,
): void {
  checkTotals({ nodes, bytes, edges, groups: 0 }, errors);
  const refuse = (count: number, most: number, what: string): void => {
    if (count > most)
      errors.report(
        'WORKFLOW_TOO_LARGE',
        ['templates'],
        `templates: ${count} ${what}; must be at most ${most}`,
      );
  };
  refuse(nesting, maxNesting, 'sub-graphs are nested in each other');
  refuse(units, maxAdders, 'nodes have sub-graphs, those in sub-graphs included');
  refuse(iterations, maxCalls, 'iterations of sub-graphs may run');
  refuse(longestName, maxName, 'characters in the name of a node, with the names of its sub-graphs');
}
