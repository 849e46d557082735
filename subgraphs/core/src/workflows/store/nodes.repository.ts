/** Access to the nodes of workflows: reads, inserts, and ends of jobs. Steps have their own repository. */
import { collection, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { Collection, Db, Filter } from 'mongodb';
import type { StoredPayload, StoredRequirements } from '../../jobs/model/job.types.js';
import { insertAbsent } from '../../shared/duplicate-keys.repository.js';
import {
  nodeFields,
  nodeIdOf,
  type NodeDocument,
  type NodeFacts,
  nodeRange,
  nodesCollection,
} from '../model/node.document.js';
import type { EndedNodeState, StoredNodeState } from '../model/workflow.types.js';

/** Filter of the nodes of one workflow. */
export interface NodeFilter {
  readonly states?: readonly StoredNodeState[] | undefined;
  readonly labels?: readonly string[] | undefined;
  readonly names?: readonly string[] | undefined;
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

/** Fields of a node that its end needs. */
export type EndingNode = Pick<NodeDocument, 'index' | 'label' | 'isFinal' | 'state' | 'outcome'>;

/** Fields of a node that a reset needs. */
export type GraphNode = Pick<
  NodeDocument,
  'index' | 'label' | 'isFinal' | 'state' | 'total' | 'needed' | 'by'
>;

/** Fields of a submitted node that the identifier of its job needs. */
export type SubmittedNode = Pick<NodeDocument, '_id' | 'index' | 'run' | 'submittedAt'>;

/** Requirements of a node. */
export interface NodeRequirements {
  readonly node: { readonly name: string };
  readonly requirements: StoredRequirements;
}

const insertBatch = 1000;
const namesPerRead = 1000;
/** A node declares up to 100 outputs. */
const outputsPerRead = 100;
/** An environment may have hundreds of kilobytes. */
const environmentsPerRead = 50;
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

  /** Declared outputs of the nodes with these names. */
  async outputsOf(
    workflowId: string,
    names: readonly string[],
  ): Promise<ReadonlyMap<string, readonly string[]>> {
    const outputs = new Map<string, readonly string[]>();
    const projection = { _id: 0, name: 1, 'job.payload.outputs': 1 } as const;
    for (let start = 0; start < names.length; start += outputsPerRead) {
      const some = names.slice(start, start + outputsPerRead);
      const found = this.#nodes.find({ workflowId, name: { $in: some } }, { projection });
      for await (const { name, job } of found) outputs.set(name, job.payload.outputs);
    }
    return outputs;
  }

  /** True if a node with this label that is not final declares the output. */
  async hasOutput(workflowId: string, label: string, output: string): Promise<boolean> {
    const filter = { workflowId, label, isFinal: false, 'job.payload.outputs': output };
    return (
      (await this.#nodes.findOne(filter, { projection: { _id: 1 }, hint: 'workflowId_label_idx' })) !== null
    );
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

  /** Names and requirements of nodes, in no order. */
  async kinds(ids: readonly string[]): Promise<readonly NodeRequirements[]> {
    const projection = { name: 1, 'job.requirements': 1 } as const;
    const found = await this.#nodes.find({ _id: { $in: [...ids] } }, { projection }).toArray();
    return found.map(({ name, job: { requirements } }) => ({ node: { name }, requirements }));
  }

  /** Requirement classes of the first nodes with each label, each with one of the nodes. */
  async *kindsByLabel(
    workflowId: string,
    count: number,
  ): AsyncGenerator<NodeRequirements & { readonly label: string; readonly classId: string }> {
    const first = { name: { $first: '$name' }, requirements: { $first: '$job.requirements' } };
    const found = this.#nodes.aggregate<{
      readonly _id: { readonly label: string; readonly classId: string };
      readonly name: string;
      readonly requirements: StoredRequirements;
    }>([
      { $match: { _id: nodeRange(workflowId, 0, count) } },
      { $group: { _id: { label: '$label', classId: '$job.classId' }, ...first } },
    ]);
    for await (const { _id, name, requirements } of found) yield { ..._id, node: { name }, requirements };
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

  /** Requirement classes of nodes, each with one of them; at most `limit`. */
  async classes(
    workflowId: string,
    nodes: readonly number[],
    limit: number,
  ): Promise<ReadonlyMap<string, NodeRequirements>> {
    const classes = new Map<string, NodeRequirements>();
    for (let start = 0; start < nodes.length && classes.size < limit; start += namesPerRead) {
      const ids = nodes.slice(start, start + namesPerRead).map((node) => nodeIdOf(workflowId, node));
      const first = { name: { $first: '$name' }, requirements: { $first: '$job.requirements' } };
      const found = this.#nodes.aggregate<{
        readonly _id: string;
        readonly name: string;
        readonly requirements: StoredRequirements;
      }>([
        { $match: { _id: { $in: ids } } },
        { $group: { _id: '$job.classId', ...first } },
        { $limit: limit },
      ]);
      for await (const { _id, name, requirements } of found)
        classes.set(_id, classes.get(_id) ?? { node: { name }, requirements });
    }
    return classes;
  }

  /** Environment and secrets of nodes, in no order. */
  async *environments(
    workflowId: string,
    nodes: readonly number[],
  ): AsyncGenerator<{
    readonly name: string;
    readonly payload: Pick<StoredPayload, 'environment' | 'secrets'>;
  }> {
    const projection = { name: 1, 'job.payload.environment': 1, 'job.payload.secrets': 1 } as const;
    for (let start = 0; start < nodes.length; start += environmentsPerRead) {
      const ids = nodes.slice(start, start + environmentsPerRead).map((node) => nodeIdOf(workflowId, node));
      const found = await this.#nodes.find({ _id: { $in: ids } }, { projection }).toArray();
      for (const { name, job } of found) yield { name, payload: job.payload };
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
    { states, labels, names, minDepth, maxDepth }: NodeFilter,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<NodeDocument>> {
    const filter = {
      workflowId,
      _id: nodeRange(workflowId),
      ...(states ? { state: { $in: [...states] } } : {}),
      ...(labels ? { label: { $in: [...labels] } } : {}),
      ...(names ? { name: { $in: [...names] } } : {}),
      ...(minDepth === undefined && maxDepth === undefined
        ? {}
        : { depth: { $gte: minDepth ?? 0, $lte: maxDepth ?? Number.MAX_SAFE_INTEGER } }),
    } as Filter<NodeDocument>;
    const order = [{ field: '_id', direction: 1 }] as const;
    // Otherwise an index on other fields may be used, for which all nodes are read and sorted.
    const hint = states || labels || names ? {} : { hint: '_id_' };
    return keysetPage({ collection: this.#nodes, filter, order, projection: nodeFields, ...hint, ...page });
  }

  /** Workflows with nodes that will add outputs to a dataset: some may have been given up. */
  async addingTo(datasetId: string): Promise<readonly string[]> {
    const found = this.#nodes.aggregate<{ readonly _id: string }>(
      [
        {
          $match: {
            'job.payload.outputDatasets.datasetId': datasetId,
            state: { $in: ['WAITING', 'READY', 'SUBMITTED'] },
          },
        },
        { $group: { _id: '$workflowId' } },
      ],
      { hint: 'outputDataset_idx', readConcern: { level: 'majority' } },
    );
    return (await found.toArray()).map(({ _id }) => _id);
  }

  /** Nodes of a workflow in these states, in order, at most `limit`. */
  async inStates(
    workflowId: string,
    states: readonly StoredNodeState[],
    limit: number,
    { isFinal }: { readonly isFinal?: boolean } = {},
  ): Promise<readonly EndingNode[]> {
    const filter = {
      workflowId,
      state: { $in: [...states] },
      ...(isFinal === undefined ? {} : { isFinal }),
    };
    const fields = { index: 1, label: 1, isFinal: 1, state: 1, outcome: 1 } as const;
    return this.#nodes
      .find(filter, { projection: fields, sort: { _id: 1 }, limit, hint: 'workflowId_state_idx' })
      .toArray();
  }

  /** Labels with READY nodes. */
  readyLabels(workflowId: string): Promise<readonly string[]> {
    return this.#nodes.distinct('label', { workflowId, state: 'READY' });
  }

  /** READY nodes of one label, in order, at most `limit`. */
  async ready(
    workflowId: string,
    { label, isFinal }: { readonly label: string; readonly isFinal: boolean },
    limit: number,
  ): Promise<readonly EndingNode[]> {
    const fields = { index: 1, label: 1, isFinal: 1, state: 1 } as const;
    return this.#nodes
      .find(
        { workflowId, state: 'READY', label, isFinal },
        { projection: fields, sort: { _id: 1 }, limit, hint: 'workflowId_state_label_idx' },
      )
      .toArray();
  }

  /** Submitted nodes in pages, in order, with what the identifiers of their jobs need. */
  async *submitted(workflowId: string, withFinal: boolean): AsyncGenerator<readonly SubmittedNode[], void> {
    const filter = { workflowId, state: 'SUBMITTED', ...(withFinal ? {} : { isFinal: false }) } as const;
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
    const projection = { index: 1, label: 1, isFinal: 1, state: 1, total: 1, needed: 1, by: 1 } as const;
    yield* this.#nodes.find(
      { _id: nodeRange(workflowId) },
      { projection, sort: { _id: 1 }, batchSize: 5000 },
    );
  }

  /** Numbers of nodes by depth and state. */
  async depths(
    workflowId: string,
  ): Promise<readonly { readonly depth: number; readonly state: StoredNodeState; readonly nodes: number }[]> {
    return this.#nodes
      .aggregate<{ depth: number; state: StoredNodeState; nodes: number }>(
        [
          { $match: { workflowId } },
          { $group: { _id: { depth: '$depth', state: '$state' }, nodes: { $sum: 1 } } },
          { $sort: { '_id.depth': 1 } },
          { $project: { _id: 0, depth: '$_id.depth', state: '$_id.state', nodes: 1 } },
        ],
        { hint: 'workflowId_depth_idx' },
      )
      .toArray();
  }

  /** Numbers of nodes by depth, label and state, from the top. */
  async placeCounts(
    workflowId: string,
  ): Promise<
    readonly (Pick<NodeDocument, 'depth' | 'label' | 'isFinal' | 'state'> & { readonly nodes: number })[]
  > {
    const fields = { depth: '$depth', label: '$label', isFinal: '$isFinal', state: '$state' };
    return this.#nodes
      .aggregate<Pick<NodeDocument, keyof typeof fields> & { nodes: number }>(
        [
          { $match: { _id: nodeRange(workflowId) } },
          { $group: { _id: fields, nodes: { $sum: 1 } } },
          { $replaceWith: { $mergeObjects: ['$_id', { nodes: '$nodes' }] } },
          { $sort: { depth: 1, label: 1, isFinal: 1 } },
        ],
        { hint: '_id_' },
      )
      .toArray();
  }

  /** Numbers of the first nodes of a workflow by label, with their largest depth. */
  async groupCounts(
    workflowId: string,
    count: number,
  ): Promise<readonly (Pick<NodeDocument, 'label' | 'isFinal' | 'depth'> & { readonly nodes: number })[]> {
    return this.#nodes
      .aggregate<Pick<NodeDocument, 'label' | 'isFinal' | 'depth'> & { nodes: number }>([
        { $match: { _id: nodeRange(workflowId, 0, count) } },
        {
          $group: {
            _id: { label: '$label', isFinal: '$isFinal' },
            ...{ depth: { $max: '$depth' }, nodes: { $sum: 1 } },
          },
        },
        { $replaceWith: { $mergeObjects: ['$_id', { depth: '$depth', nodes: '$nodes' }] } },
      ])
      .toArray();
  }

  /** Label and depth of all nodes of a workflow, in order. */
  async *places(
    workflowId: string,
  ): AsyncGenerator<Pick<NodeDocument, 'index' | 'label' | 'isFinal' | 'depth'>> {
    const projection = { index: 1, label: 1, isFinal: 1, depth: 1 } as const;
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
