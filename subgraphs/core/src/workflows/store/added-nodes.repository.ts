/** Access to nodes that are added later: those of payloads, and those of templates. */
import { collection } from '@rhizome/mongo';
import type { Collection, Db } from 'mongodb';
import { insertAbsent } from '../../shared/duplicate-keys.repository.js';
import {
  type AddedNode,
  type AddedNodeDocument,
  addedNodeSchemaVersion,
  addedNodesCollection,
} from '../model/added-node.document.js';
import { bytesOf, childOf, conditionOf, type EdgeBlock, encodeTarget, numbersIn } from '../model/edges.js';
import type { StoredAddedCall, StoredAddition } from '../model/additions.js';
import {
  kindsOf,
  type LabelledKind,
  datasetsOf,
  type NodeDataset,
  type NodeSecret,
  secretsOf,
  readingNodes,
} from './node-jobs.repository.js';

/** The call under which a template is stored. */
export function templateCall(workflowId: string, template: number): AddedCall {
  return { workflowId, by: template, run: 0, attempt: 0, digest: 'template' };
}

/** Call of an attempt. */
export interface AddedCall extends Pick<StoredAddition, 'by' | 'run' | 'attempt'> {
  readonly workflowId: string;
  /** Digest of its content; other content under the same key is another call. */
  readonly digest: StoredAddedCall['digest'];
}

const perWrite = 500;
const perRead = 500;
/** Longest time of a search over all workflows, in milliseconds. */
const longestMs = 30_000;
const read = { readConcern: { level: 'majority' }, promoteBuffers: true } as const;

/** Stored nodes. */
export class AddedNodesRepository {
  readonly #added: Collection<AddedNodeDocument>;

  /** @param definition collection of nodes that payloads add, or of templates */
  constructor(db: Db, definition = addedNodesCollection) {
    this.#added = collection(db, definition);
  }

  /**
   * Inserts nodes of a call, and edges between them; what exists is not changed.
   * @param from position of the first node in the call
   */
  async insert(
    call: AddedCall,
    nodes: readonly AddedNode[],
    blocks: Iterable<EdgeBlock>,
    now: Date,
    from = 0,
  ): Promise<void> {
    const { workflowId, by } = call;
    const base = { schemaVersion: addedNodeSchemaVersion, revision: 1, createdAt: now, workflowId, by };
    for (let start = 0; start < nodes.length; start += perWrite)
      await insertAbsent(
        this.#added,
        nodes.slice(start, start + perWrite).map((node, at) => ({
          ...{ _id: `${prefixOf(call)}/N/${padded(from + start + at)}`, ...base, node },
        })),
      );
    for (const { first, offsets, targets } of blocks) {
      const edges = { first, offsets: bytesOf(offsets), targets: bytesOf(targets) };
      await insertAbsent(this.#added, [{ _id: `${prefixOf(call)}/E/${padded(first)}`, ...base, edges }]);
    }
  }

  /** Number of the stored nodes of a call. */
  count(call: AddedCall): Promise<number> {
    return this.#added.countDocuments(rangeOf(call, 'N'), { hint: '_id_', readConcern: read.readConcern });
  }

  /** Nodes of a call in pages, in order. */
  async *nodes(call: AddedCall): AsyncGenerator<readonly AddedNode[]> {
    const cursor = this.#added.find(rangeOf(call, 'N'), { sort: { _id: 1 }, batchSize: perRead, ...read });
    try {
      while (await cursor.hasNext()) yield cursor.readBufferedDocuments().flatMap(({ node }) => node ?? []);
    } finally {
      await cursor.close();
    }
  }

  /** Names that nodes of a call have, of those given. */
  async namesAmong(call: AddedCall, names: ReadonlySet<string>): Promise<readonly string[]> {
    const options = { projection: { _id: 0, 'node.name': 1 }, readConcern: read.readConcern } as const;
    const found: string[] = [];
    for await (const { node } of this.#added.find(rangeOf(call, 'N'), options))
      if (node && names.has(node.name)) found.push(node.name);
    return found;
  }

  /** Edges of a call whose first node has a position in the workflow. */
  async *edges(call: AddedCall, first: number): AsyncGenerator<EdgeBlock> {
    for await (const { edges } of this.#added.find(rangeOf(call, 'E'), { sort: { _id: 1 }, ...read })) {
      if (!edges) continue;
      const targets = numbersIn(edges.targets).map((target) =>
        encodeTarget(childOf(target) + first, conditionOf(target)),
      );
      yield { first: edges.first + first, offsets: numbersIn(edges.offsets), targets };
    }
  }

  /** Workflows with templates whose nodes will add outputs to a dataset. */
  addingTo(datasetId: string): Promise<readonly string[]> {
    return this.#added.distinct('workflowId', { 'node.job.payload.outputDatasets.datasetId': datasetId });
  }

  /**
   * Workflows with nodes that will read one of the locations, by location: some may have been given up.
   * @throws MongoError if it took too long
   */
  reading(locations: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    return readingNodes(this.#added, 'node.job', {}, locations);
  }

  /** Workflows with nodes that will use an upload: some may have been given up. */
  usingUpload(uploadId: string): Promise<readonly string[]> {
    const options = { maxTimeMS: longestMs, readConcern: read.readConcern } as const;
    return this.#added.distinct('workflowId', { 'node.job.payload.uploadId': uploadId }, options);
  }

  /** Secrets that nodes of the templates of a workflow name, each with the name of one of the nodes. */
  async secrets(workflowId: string): Promise<readonly NodeSecret[]> {
    const own = { $gte: `${workflowId}/`, $lt: `${workflowId}0` };
    return this.#added
      .aggregate<NodeSecret>([
        { $match: { _id: own, 'node.job.payload.secrets': { $exists: true } } },
        ...secretsOf('$node.job.payload.secrets', '$node.name'),
      ])
      .toArray();
  }

  /** Datasets that nodes of the templates add outputs to, each with the name of one of the nodes. */
  async datasets(workflowId: string): Promise<ReadonlyMap<string, string>> {
    const own = { $gte: `${workflowId}/`, $lt: `${workflowId}0` };
    const field = 'node.job.payload.outputDatasets';
    const found = this.#added.aggregate<NodeDataset>([
      { $match: { _id: own, [field]: { $exists: true } } },
      ...datasetsOf(`$${field}`, '$node.name'),
    ]);
    return new Map((await found.toArray()).map(({ _id, node }) => [_id, node]));
  }

  /** Requirement classes of the nodes of the templates of a workflow by label, each with one of the nodes. */
  async *kindsByLabel(workflowId: string): AsyncGenerator<LabelledKind> {
    const own = { $gte: `${workflowId}/`, $lt: `${workflowId}0` };
    yield* this.#added.aggregate<LabelledKind>([
      { $match: { _id: own, 'node.job': { $exists: true } } },
      ...kindsOf('node.'),
    ]);
  }

  /** Deletes the templates of a workflow that was removed. */
  async dropAll(workflowId: string): Promise<void> {
    await this.#added.deleteMany({ _id: { $gte: `${workflowId}/`, $lt: `${workflowId}0` } });
  }

  /** Deletes what nodes that ended then have added, or have not. Later runs may add others. */
  async drop(workflowId: string, by: readonly number[], at: Date): Promise<void> {
    await this.#added.deleteMany({ workflowId, by: { $in: [...by] }, createdAt: { $lte: at } });
  }
}

const padded = (position: number): string => String(position).padStart(7, '0');

function prefixOf({ workflowId, by, run, attempt, digest }: AddedCall): string {
  return `${workflowId}/${padded(by)}/${run}/${attempt}/${digest}`;
}

function rangeOf(call: AddedCall, kind: 'N' | 'E') {
  const prefix = `${prefixOf(call)}/${kind}/`;
  return { _id: { $gte: prefix, $lt: `${prefix}~` } };
}
