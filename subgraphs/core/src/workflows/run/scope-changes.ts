/** Decides about sub-graphs: their iterations, their ends, and nodes that are left when they have ended. */
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import { isLoopDone } from '../model/loop-condition.js';
import { endedIn, nodesIn } from '../model/node-rules.js';
import { type NodeDocument, type NodeFacts, nodeIdOf } from '../model/node.document.js';
import { type ScopedAddition, scopesOf, type StoredSubgraph } from '../model/scopes.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { NodeCounts, NodeEnd, StoredNodeState } from '../model/workflow.types.js';
import type { EndingNode, NodesRepository } from '../store/nodes.repository.js';
import { nextIteration, type Unit } from './growth.js';
import type { WorkflowChange } from './journal.js';
import { nodeJobIds } from './node-jobs.js';

/** Dependencies of {@link ScopeChanges}. */
export interface ScopeChangesOptions {
  readonly nodes: Pick<NodesRepository, 'findMany' | 'inStates'>;
  readonly jobs: Pick<JobsRepository, 'find'>;
}

/** Nodes that end in one step. */
export interface ScopeEnds {
  readonly found: readonly EndingNode[];
  readonly ends: readonly NodeEnd[];
}

/** A change of the workflow, or ends of nodes. */
export type ScopeChange = { readonly change: WorkflowChange } | ScopeEnds;

const waiting: readonly StoredNodeState[] = ['WAITING', 'READY', 'DOOMED'];

/** Finds the next changes of sub-graphs. */
export class ScopeChanges {
  readonly #options: ScopeChangesOptions;

  constructor(options: ScopeChangesOptions) {
    this.#options = options;
  }

  /** The next change of a workflow because of its sub-graphs; undefined for none. @param most ends at once */
  async of(workflow: WorkflowDocument, most: number): Promise<ScopeChange | undefined> {
    const scopes = scopesOf(workflow.additions).map(([, addition]) => addition);
    for (const addition of scopes) {
      const left = await this.#left(workflow, addition, most);
      if (left) return left;
    }
    const due = scopes.filter(isDue).slice(0, most);
    if (due.length === 0) return undefined;
    const ids = due.map(({ by }) => nodeIdOf(workflow._id, by));
    const units = new Map((await this.#options.nodes.findMany(ids)).map((node) => [node.index, node]));
    const found: EndingNode[] = [];
    const ends: NodeEnd[] = [];
    for (const addition of due) {
      const next = await this.#afterIteration(workflow, addition, units.get(addition.by));
      if (!('change' in next)) {
        found.push(...next.found);
        ends.push(...next.ends);
      } else if (ends.length === 0) return next;
    }
    return { found, ends };
  }

  /** Nodes that wait in a sub-graph that was cancelled, or whose node has ended. */
  async #left(
    { _id }: WorkflowDocument,
    { calls, scope }: ScopedAddition,
    most: number,
  ): Promise<ScopeEnds | undefined> {
    if (scope.state === 'WAITING' || (scope.state === 'OPEN' && !scope.cancelled)) return undefined;
    for (const { first = 0, nodes, counts } of calls) {
      if (!counts || counts.WAITING === 0) continue;
      const found = await this.#options.nodes.inStates(_id, waiting, most, { range: { first, nodes } });
      if (found.length === 0) continue;
      const { by, reason } = scope.cancelled ?? {};
      const ended = { state: 'SKIPPED', reason: 'Its sub-graph has ended' } as const;
      const end =
        by === undefined
          ? ended
          : ({ state: 'CANCELLED', by, ...(reason === undefined ? {} : { reason }) } as const);
      return { found, ends: found.map(({ index }) => ({ node: index, ...end })) };
    }
    return undefined;
  }

  /** The next iteration, or the end of the node, after all nodes of the present iteration have ended. */
  async #afterIteration(
    workflow: WorkflowDocument,
    addition: ScopedAddition,
    unit: NodeFacts | undefined,
  ): Promise<ScopeChange> {
    const { scope, by } = addition;
    const call = addition.calls[scope.iteration - 1];
    if (!call?.counts || !isUnit(unit)) throw new Error(`node ${by} of ${workflow._id} has no sub-graph`);
    const isCancelled = scope.cancelled !== undefined || workflow.state === 'CANCELLING';
    const isLast = isCancelled || scope.iteration >= unit.subgraph.maxIterations;
    const first = call.first ?? 0;
    const isDone = await this.#isDone(workflow, unit, { ...scope, first, counts: call.counts });
    if (!isLast && !isDone) return { change: nextIteration(workflow, unit) };
    return { found: [unit], ends: [endOf(unit, { addition, workflow, counts: call.counts, isDone })] };
  }

  /** True if no further iteration is needed. */
  async #isDone(
    { _id }: WorkflowDocument,
    { subgraph: { until, result } }: Unit,
    { iteration, first, counts }: { iteration: number; first: number; counts: NodeCounts },
  ): Promise<boolean> {
    // Without a condition, a failure is repeated by a retry, not by the loop.
    if (until === undefined) return counts.FAILED + counts.CANCELLED > 0;
    const { nodes, jobs } = this.#options;
    const [node] = await nodes.findMany([nodeIdOf(_id, first + result)]);
    if (!node) throw new Error(`node ${first + result} of ${_id} does not exist`);
    const jobId = nodeJobIds(_id)(node);
    const [job] =
      jobId === undefined ? [] : await jobs.find([jobId], { exitCode: 1, metrics: 1, outputs: 1 });
    return isLoopDone(until, { state: node.state, job, iteration });
  }
}

/** True if all nodes of the present iteration have ended. */
function isDue({ calls, scope }: ScopedAddition): boolean {
  const counts = scope.state === 'OPEN' ? calls[scope.iteration - 1]?.counts : undefined;
  return counts !== undefined && endedIn(counts) === nodesIn(counts);
}

function isUnit(node: NodeFacts | undefined): node is NodeFacts & { readonly subgraph: StoredSubgraph } {
  return node?.subgraph !== undefined;
}

function endOf(
  { index: node, subgraph }: Pick<NodeDocument, 'index'> & { readonly subgraph: StoredSubgraph },
  {
    addition: { scope },
    workflow: { cancel, state },
    counts,
    isDone,
  }: {
    readonly addition: ScopedAddition;
    readonly workflow: WorkflowDocument;
    readonly counts: NodeCounts;
    readonly isDone: boolean;
  },
): NodeEnd {
  const cancelled = scope.cancelled ?? (state === 'CANCELLING' ? cancel : undefined);
  if (cancelled) {
    const { by, reason } = cancelled;
    return { node, state: 'CANCELLED', by, ...(reason === undefined ? {} : { reason }) };
  }
  const failed = counts.FAILED + counts.CANCELLED;
  const of = subgraph.maxIterations === 1 ? '' : ` of iteration ${scope.iteration}`;
  if (failed > 0)
    return { node, state: 'FAILED', reason: `${failed} of ${nodesIn(counts)} nodes${of} have failed` };
  if (subgraph.until !== undefined && !isDone)
    return { node, state: 'SUCCEEDED', reason: `The condition was not met in ${scope.iteration} iterations` };
  return { node, state: 'SUCCEEDED' };
}
