/** Access to the nodes of workflows: reads, inserts, and ends of jobs. Jobs, counts and steps are apart. */
import { collection, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { Collection, Db, Filter } from 'mongodb';
import { insertAbsent } from '../../shared/duplicate-keys.repository.js';
import {
  nodeFields,
  type NodeDocument,
  type NodeFacts,
  nodeRange,
  nodesCollection,
} from '../model/node.document.js';
import type { StoredSubgraph } from '../model/scopes.js';
import type { EndedNodeState, StoredNodeState } from '../model/workflow.types.js';

/** Filter of the nodes of one workflow. */
export interface NodeFilter {
  readonly states?: readonly StoredNodeState[] | undefined;
  readonly labels?: readonly string[] | undefined;
  readonly names?: readonly string[] | undefined;
  /** Beginning of the names. */
  readonly namePrefix?: string | undefined;
  readonly minDepth?: number | undefined;
  readonly maxDepth?: number | undefined;
}

/** Job of a node that has ended. */
export interface EndedNodeJob {
  readonly nodeId: string;
  readonly run: number;
  readonly outcome: EndedNodeState;
  readonly at: Date;
}

/** Nodes at some positions. */
export interface NodeRange {
  readonly first: number;
  readonly nodes: number;
}

/** Fields of a node that its end needs. */
export type EndingNode = Pick<NodeDocument, 'index' | 'label' | 'isFinal' | 'state' | 'outcome'> & {
  readonly subgraph?: Pick<StoredSubgraph, 'template'>;
};

/** Fields of a node that a reset needs. */
export type GraphNode = Pick<
  NodeDocument,
  'index' | 'label' | 'isFinal' | 'state' | 'total' | 'needed' | 'by' | 'isEntry'
>;

/** Fields of a submitted node that the identifier of its job needs. */
export type SubmittedNode = Pick<NodeDocument, '_id' | 'index' | 'run' | 'submittedAt'>;

const endingFields = { index: 1, label: 1, isFinal: 1, state: 1, 'subgraph.template': 1 } as const;
const insertBatch = 1000;
const namesPerRead = 1000;
const submittedPage = 1000;
const wholePerPage = 500;
const majority = { writeConcern: { w: 'majority' } } as const;

/** Stored nodes. */
export class NodesRepository {
  readonly #nodes: Collection<NodeDocument>;

  constructor(db: Db) {
    this.#nodes = collection(db, nodesCollection);
  }

  /** Inserts nodes; those that exist are not changed. */
  async insert(nodes: readonly NodeDocument[]): Promise<void> {
    for (let start = 0; start < nodes.length; start += insertBatch)
      await insertAbsent(this.#nodes, nodes.slice(start, start + insertBatch));
  }

  /** Number of the stored nodes of a workflow, or of those at some positions. */
  count(workflowId: string, at?: { readonly first: number; readonly nodes: number }): Promise<number> {
    const range = nodeRange(workflowId, at?.first, at && at.first + at.nodes);
    return this.#nodes.countDocuments({ _id: range }, { hint: '_id_' });
  }

  /** Nodes by id, in no order. */
  async findMany(ids: readonly string[]): Promise<readonly NodeFacts[]> {
    return this.#nodes.find({ _id: { $in: [...ids] } }, { projection: nodeFields }).toArray();
  }

  /** Nodes of a workflow by name, in no order. */
  async named(workflowId: string, names: readonly string[]): Promise<readonly NodeFacts[]> {
    return this.#nodes.find({ workflowId, name: { $in: [...names] } }, { projection: nodeFields }).toArray();
  }

  /** Positions of the nodes with these names; names that no node has are absent. */
  async positionsOf(workflowId: string, names: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const positions = new Map<string, number>();
    for (let start = 0; start < names.length; start += namesPerRead) {
      const some = names.slice(start, start + namesPerRead);
      const found = this.#nodes.find(
        { workflowId, name: { $in: some } },
        { projection: { name: 1, index: 1, _id: 0 }, readConcern: { level: 'majority' } },
      );
      for await (const { name, index } of found) positions.set(name, index);
    }
    return positions;
  }

  /** Nodes with a label that are not final, in order, from a position among them on. */
  async labelled(
    workflowId: string,
    label: string,
    { from, count }: { readonly from: number; readonly count: number },
  ): Promise<readonly NodeFacts[]> {
    const order = { sort: { _id: 1 }, skip: from, limit: count, hint: 'workflowId_label_idx' } as const;
    return this.#nodes
      .find({ workflowId, label, isFinal: false }, { projection: nodeFields, ...order })
      .toArray();
  }

  /** The first nodes of a workflow with their jobs, in order, in pages of which the driver holds one. */
  async *whole(workflowId: string, count: number): AsyncGenerator<readonly NodeDocument[]> {
    const filter = { _id: nodeRange(workflowId, 0, count) };
    const cursor = this.#nodes.find(filter, { sort: { _id: 1 }, batchSize: wholePerPage });
    try {
      while (await cursor.hasNext()) yield cursor.readBufferedDocuments();
    } finally {
      await cursor.close();
    }
  }

  /** Sets the depths of the nodes of a workflow that is being sealed; they are 0 before. */
  async setDepths(workflowId: string, depths: Uint32Array): Promise<void> {
    const writesAtOnce = 4;
    for (let first = 0; first < depths.length; first += writesAtOnce * insertBatch) {
      const starts = Array.from({ length: writesAtOnce }, (_, at) => first + at * insertBatch);
      await Promise.all(starts.map((start) => this.#setDepths(workflowId, depths, start)));
    }
  }

  async #setDepths(workflowId: string, depths: Uint32Array, first: number): Promise<void> {
    const some = depths.slice(first, first + insertBatch);
    if (some.every((depth) => depth === 0)) return;
    const depth = { $arrayElemAt: [{ $literal: [...some] }, { $subtract: ['$index', first] }] };
    await this.#nodes.updateMany(
      { _id: nodeRange(workflowId, first, first + some.length) },
      [{ $set: { depth } }],
      majority,
    );
  }

  /** A page of the nodes of a workflow, in order. @throws DomainError CURSOR_INVALID */
  page(
    workflowId: string,
    { states, labels, names, namePrefix, minDepth, maxDepth }: NodeFilter,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<NodeDocument>> {
    const filter = {
      workflowId,
      _id: nodeRange(workflowId),
      ...(states ? { state: { $in: [...states] } } : {}),
      ...(labels ? { label: { $in: [...labels] } } : {}),
      ...(names || namePrefix !== undefined ? { name: nameCondition(names, namePrefix) } : {}),
      ...(minDepth === undefined && maxDepth === undefined
        ? {}
        : { depth: { $gte: minDepth ?? 0, $lte: maxDepth ?? Number.MAX_SAFE_INTEGER } }),
    } as Filter<NodeDocument>;
    const order = [{ field: '_id', direction: 1 }] as const;
    // Otherwise an index on other fields may be used, for which all nodes are read and sorted.
    const hint = states || labels || names || namePrefix !== undefined ? {} : { hint: '_id_' };
    return keysetPage({ collection: this.#nodes, filter, order, projection: nodeFields, ...hint, ...page });
  }

  /** Nodes of a workflow in these states, in order, at most `limit`. */
  async inStates(
    workflowId: string,
    states: readonly StoredNodeState[],
    limit: number,
    { isFinal, range }: { readonly isFinal?: boolean; readonly range?: NodeRange } = {},
  ): Promise<readonly EndingNode[]> {
    const filter = {
      workflowId,
      state: { $in: [...states] },
      ...(isFinal === undefined ? {} : { isFinal }),
      ...(range ? { _id: nodeRange(workflowId, range.first, range.first + range.nodes) } : {}),
    };
    const fields = { ...endingFields, outcome: 1 } as const;
    return this.#nodes
      .find(filter, { projection: fields, sort: { _id: 1 }, limit, hint: 'workflowId_state_idx' })
      .toArray();
  }

  /** Labels with READY nodes. */
  readyLabels(workflowId: string): Promise<readonly string[]> {
    return this.#nodes.distinct('label', { workflowId, state: 'READY' });
  }

  /** Submitted nodes at some positions that have jobs, in no order. */
  submittedIn(workflowId: string, { first, nodes }: NodeRange): Promise<readonly NodeFacts[]> {
    const filter = { _id: nodeRange(workflowId, first, first + nodes), subgraph: { $exists: false } };
    return this.#nodes
      .find(
        { workflowId, state: 'SUBMITTED', ...filter },
        { projection: nodeFields, hint: 'workflowId_state_idx' },
      )
      .toArray();
  }

  /** READY nodes of one label, in order, at most `limit`. */
  async ready(
    workflowId: string,
    { label, isFinal }: { readonly label: string; readonly isFinal: boolean },
    limit: number,
  ): Promise<readonly EndingNode[]> {
    const fields = endingFields;
    return this.#nodes
      .find(
        { workflowId, state: 'READY', label, isFinal },
        { projection: fields, sort: { _id: 1 }, limit, hint: 'workflowId_state_label_idx' },
      )
      .toArray();
  }

  /** Submitted nodes with jobs in pages, in order, with what the identifiers of their jobs need. */
  async *submitted(workflowId: string, withFinal: boolean): AsyncGenerator<readonly SubmittedNode[], void> {
    const filter = {
      ...({ workflowId, state: 'SUBMITTED', subgraph: { $exists: false } } as const),
      ...(withFinal ? {} : { isFinal: false }),
    };
    const projection = { index: 1, run: 1, submittedAt: 1 } as const;
    const order = { sort: { _id: 1 }, limit: submittedPage, hint: 'workflowId_state_idx' } as const;
    let page: readonly SubmittedNode[];
    let behind = '';
    do {
      page = await this.#nodes.find({ ...filter, _id: { $gt: behind } }, { projection, ...order }).toArray();
      if (page.length > 0) yield page;
      behind = page.at(-1)?._id ?? '';
    } while (page.length === submittedPage);
  }

  /** Notes the ends of jobs; the nodes end in a later step. A repetition changes nothing. */
  async jobsEnded(ended: readonly EndedNodeJob[]): Promise<void> {
    if (ended.length === 0) return;
    await this.#nodes.bulkWrite(
      ended.map(({ nodeId, run, outcome, at }) => ({
        updateOne: {
          filter: { _id: nodeId, run, state: 'SUBMITTED' },
          update: {
            $set: { state: 'ENDING' as const, outcome, endedAt: at, updatedAt: at },
            $inc: { revision: 1 },
          },
        },
      })),
      { ordered: false, ...majority },
    );
  }

  /** All nodes of a workflow, in order, with what a reset needs. */
  async *graph(workflowId: string): AsyncGenerator<GraphNode> {
    const numbers = { state: 1, total: 1, needed: 1, by: 1, isEntry: 1 } as const;
    const projection = { index: 1, label: 1, isFinal: 1, ...numbers } as const;
    yield* this.#nodes.find(
      { _id: nodeRange(workflowId) },
      { projection, sort: { _id: 1 }, batchSize: 5000 },
    );
  }

  /** Deletes the nodes of a workflow that was removed. */
  async drop(workflowId: string): Promise<void> {
    await this.#nodes.deleteMany({ workflowId });
  }
}

function nameCondition(names: readonly string[] | undefined, prefix: string | undefined): Filter<string> {
  return {
    ...(names ? { $in: [...names] } : {}),
    ...(prefix === undefined ? {} : { $gte: prefix, $lt: `${prefix}\u{10ffff}` }),
  };
}
