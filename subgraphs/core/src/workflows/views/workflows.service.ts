/** Reads workflows and their nodes. */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { badInput } from '@rhizome/errors';
import { type KeysetPage, type PositionsPage, positionsPage } from '@rhizome/mongo';
import { visibilityOf } from '../../shared/visibility.js';
import { maySeeWorkflow } from '../control/workflow-access.js';
import { childOf, conditionOf, edgesFrom } from '../model/edges.js';
import { countsOf, endedIn, nodesIn, noNodes } from '../model/node-rules.js';
import { type NodeDocument, nodeIdOf, nodeRefOf, type NodeFacts } from '../model/node.document.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import {
  type EdgeCondition,
  type NodeCounts,
  type NodeState,
  shownState,
  storedStatesOf,
} from '../model/workflow.types.js';
import type { EdgesRepository } from '../store/edges.repository.js';
import type { NodeCountsRepository } from '../store/node-counts.repository.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowFilter, WorkflowsRepository } from '../store/workflows.repository.js';
import { KeptViews } from './kept-views.js';
import type { ScopedWorkflow } from './subgraph-view.js';

type Maybe<T> = T | null | undefined;

/** Dependencies of {@link Workflows}. */
export interface WorkflowsOptions {
  readonly workflows: WorkflowsRepository;
  readonly nodes: NodesRepository;
  readonly counts: Pick<NodeCountsRepository, 'depths'>;
  readonly edges: EdgesRepository;
  readonly clock: Clock;
}

/** Filter of the nodes of a workflow; absent fields do not filter. */
export interface NodeFilterSpec {
  readonly states?: Maybe<readonly NodeState[]>;
  readonly labels?: Maybe<readonly string[]>;
  readonly names?: Maybe<readonly string[]>;
  readonly namePrefix?: Maybe<string>;
  readonly minDepth?: Maybe<number>;
  readonly maxDepth?: Maybe<number>;
}

/** A page to read. */
export interface PageSpec {
  readonly first: number;
  readonly after?: Maybe<string>;
}

/** Node as it is shown: without its job. */
export type NodeView = NodeFacts;

/** Node that depends on another. */
export interface Dependent {
  readonly node: NodeView;
  readonly condition: EdgeCondition;
}

/** Numbers of the nodes of one layer. */
export interface LayerView {
  readonly depth: number;
  readonly counts: NodeCounts;
}

const maxNamed = 1000;
/** Most characters of the beginning of a name: a name has no more. */
const maxPrefix = 200;
/** Most layers that one call shows. */
const maxLayers = 1000;
const maxKeptLayers = 100;

/** Workflows as callers see them. */
export class Workflows {
  readonly #options: WorkflowsOptions;
  /** Layers of workflows by their step: nodes change by steps only. */
  readonly #layers = new KeptViews<readonly LayerView[]>(maxKeptLayers);

  constructor(options: WorkflowsOptions) {
    this.#options = options;
  }

  /** Workflows by id, in the same order; null for those that the principal may not see. */
  async findMany(
    ids: readonly string[],
    principal: Principal,
  ): Promise<readonly (WorkflowDocument | null)[]> {
    const found = await this.#options.workflows.findMany(ids);
    const visible = new Map(found.map((one) => [one._id, maySeeWorkflow(principal, one) ? one : null]));
    return ids.map((id) => visible.get(id) ?? null);
  }

  /** Fields from which the progress of sub-graphs follows, in the same order; null for unknown workflows. */
  async scopes(ids: readonly string[]): Promise<readonly (ScopedWorkflow | null)[]> {
    const found = new Map((await this.#options.workflows.scopes(ids)).map((one) => [one._id, one]));
    return ids.map((id) => found.get(id) ?? null);
  }

  /** A page of workflows that the principal may see, the newest first. */
  page(
    principal: Principal,
    filter: WorkflowFilter | null | undefined,
    { first, after }: PageSpec,
  ): Promise<KeysetPage<WorkflowDocument>> {
    checkFilter(filter ?? {});
    const visibility = visibilityOf(principal, 'task:read');
    return this.#options.workflows.page(filter ?? {}, visibility, { first, after });
  }

  /** Nodes by id, in the same order; null for those that the principal may not see. */
  async findNodes(ids: readonly string[], principal: Principal): Promise<readonly (NodeView | null)[]> {
    const wanted = ids.filter((id) => nodeRefOf(id) !== undefined);
    const found = await this.#options.nodes.findMany(wanted);
    const workflowIds = [...new Set(found.map(({ workflowId }) => workflowId))];
    const seen = await this.findMany(workflowIds, principal);
    const visible = new Set(seen.flatMap((one) => (one ? [one._id] : [])));
    const nodes = new Map(found.map((node) => [node._id, node]));
    return ids.map((id) => {
      const node = nodes.get(id);
      return node && visible.has(node.workflowId) ? node : null;
    });
  }

  /** A page of the nodes of a workflow, in the order of the submission. */
  nodes(
    { _id }: Pick<WorkflowDocument, '_id'>,
    filter: NodeFilterSpec | null | undefined,
    { first, after }: PageSpec,
  ): Promise<KeysetPage<NodeDocument>> {
    const { states, labels, names, namePrefix, minDepth, maxDepth } = filter ?? {};
    checkFilter({ states, labels, names });
    checkDepth('minDepth', minDepth);
    checkDepth('maxDepth', maxDepth);
    if ((namePrefix?.length ?? 0) > maxPrefix)
      throw badInput('filter.namePrefix', namePrefix?.length, `at most ${maxPrefix} characters`);
    return this.#options.nodes.page(
      _id,
      {
        ...(states ? { states: storedStatesOf(states) } : {}),
        ...(labels ? { labels } : {}),
        ...(names ? { names } : {}),
        ...(namePrefix == null || namePrefix === '' ? {} : { namePrefix }),
        minDepth: minDepth ?? undefined,
        maxDepth: maxDepth ?? undefined,
      },
      { first, after },
    );
  }

  /** Nodes that depend on a node by edges of their own, in order. @throws DomainError CURSOR_INVALID */
  async dependents({ workflowId, index }: NodeView, page: PageSpec): Promise<PositionsPage<Dependent>> {
    const { workflows, edges, nodes } = this.#options;
    const workflow = await workflows.size(workflowId);
    const [block] = workflow ? (await edges.containing(workflow, [index])).values() : [];
    const all = block ? edgesFrom(block, index) : new Uint32Array();
    return positionsPage({ totalCount: all.length, ...page }, async (from, count) => {
      const shown = [...all.subarray(from, from + count)];
      const found = await nodes.findMany(shown.map((target) => nodeIdOf(workflowId, childOf(target))));
      const byIndex = new Map(found.map((node) => [node.index, node]));
      return shown.flatMap((target) => {
        const node = byIndex.get(childOf(target));
        return node ? [{ node, condition: conditionOf(target) }] : [];
      });
    });
  }

  /** Numbers of nodes by depth, from the top, at most the first 1,000 layers. */
  layers(workflow: WorkflowDocument): Promise<readonly LayerView[]> {
    return this.#layers.of(workflow, () => this.#readLayers(workflow._id));
  }

  async #readLayers(_id: string): Promise<readonly LayerView[]> {
    const rows = await this.#options.counts.depths(_id);
    const byDepth = new Map<number, Record<NodeState, number>>();
    for (const { depth, state, nodes } of rows) {
      if (depth >= maxLayers) break;
      const counts = byDepth.get(depth) ?? { ...noNodes };
      byDepth.set(depth, counts);
      counts[shownState(state)] += nodes;
    }
    return [...byDepth].map(([depth, counts]) => ({ depth, counts }));
  }

  /** Reason why a node is skipped, cancelled or ended by hand; null for others. */
  async reasonOf(node: NodeView, workflow: () => Promise<WorkflowDocument | null>): Promise<string | null> {
    const { cause, reason, state, workflowId } = node;
    if (reason !== undefined) return reason;
    if (cause === undefined || state !== 'SKIPPED') return null;
    if (cause >= 0) {
      const [parent] = await this.#options.nodes.findMany([nodeIdOf(workflowId, cause)]);
      return parent ? `Node "${parent.name}", on which it depends, ended as ${parent.state}` : null;
    }
    const edge = (await workflow())?.groupEdges[-1 - cause];
    return edge?.from === undefined
      ? null
      : `Too few nodes with label "${edge.from}" ended as ${edge.condition}; ${edge.needed} must`;
  }

  /** Time at which the workflow ends if it goes on at its pace so far; null if that is unknown. */
  estimatedEnd({ state, groups, sealedAt }: WorkflowDocument): Date | null {
    const counts = countsOf(groups);
    const [ended, all] = [endedIn(counts), nodesIn(counts)];
    if (state !== 'RUNNING' || !sealedAt || ended === 0 || ended === all) return null;
    const now = this.#options.clock.now().getTime();
    return new Date(now + ((now - sealedAt.getTime()) / ended) * (all - ended));
  }
}

function checkDepth(field: string, depth: Maybe<number>): void {
  if (depth != null && depth < 0) throw badInput(`filter.${field}`, depth, '0 or more');
}

function checkFilter(filter: object): void {
  for (const [field, values] of Object.entries(filter) as [string, readonly unknown[] | null | undefined][])
    if ((values?.length ?? 0) > maxNamed)
      throw badInput(`filter.${field}`, values?.length, `at most ${maxNamed} values`);
}
