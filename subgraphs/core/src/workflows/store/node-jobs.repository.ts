/** Access to what the nodes of workflows store about their jobs. */
import { collection, partsOfTexts } from '@rhizome/mongo';
import type { Collection, Db, Document, Filter } from 'mongodb';
import type { StoredJobSecret, StoredPayload, StoredRequirements } from '../../jobs/model/job.types.js';
import { nodeIdOf, type NodeDocument, nodeRange, nodesCollection } from '../model/node.document.js';

/** Requirements of a node. */
export interface NodeRequirements {
  readonly node: { readonly name: string };
  readonly requirements: StoredRequirements;
}

/** Secret that a node names. */
export interface NodeSecret extends Pick<StoredJobSecret, 'name' | 'scope'> {
  readonly node: string;
}

/** Requirement class of a label, with one of its nodes. */
export interface LabelledKind extends NodeRequirements {
  readonly label: string;
  readonly classId: string;
}

/** Stages that list requirement classes by label, each with one of the nodes. @param node path of the node */
export function kindsOf(node: '' | 'node.'): Document[] {
  const [name, requirements] = [{ $first: `$${node}name` }, { $first: `$${node}job.requirements` }];
  return [
    {
      $group: {
        _id: { label: `$${node}label`, classId: `$${node}job.classId` },
        ...{ name, requirements },
      },
    },
    { $replaceWith: { $mergeObjects: ['$_id', { node: { name: '$name' }, requirements: '$requirements' }] } },
  ];
}

/** Id of a dataset, and the name of a node that adds outputs to it. */
export interface NodeDataset {
  readonly _id: string;
  readonly node: string;
}

/** Stages that list datasets of outputs once, with the name of a node for each. */
export function datasetsOf(datasets: string, node: string): Document[] {
  return [
    { $project: { _id: 0, node, datasets } },
    { $unwind: '$datasets' },
    { $group: { _id: '$datasets.datasetId', node: { $first: '$node' } } },
  ];
}

/** Stages that list secrets once, with the name of a node for each. */
export function secretsOf(secrets: string, node: string): Document[] {
  return [
    { $project: { _id: 0, node, secrets } },
    { $unwind: '$secrets' },
    { $group: { _id: { name: '$secrets.name', scope: '$secrets.scope' }, node: { $first: '$node' } } },
    { $replaceWith: { $mergeObjects: ['$_id', { node: '$node' }] } },
  ];
}

const nodesPerRead = 1000;
/** A node declares up to 100 outputs. */
const outputsPerRead = 100;
/** States of nodes whose jobs may not exist yet. */
const unendedNodeStates = ['WAITING', 'READY', 'SUBMITTED'] as const;
/** Longest time of a search over all workflows, in milliseconds. */
const longestMs = 30_000;
/** Most bytes of locations that are sought together: a command has at most 16 MiB, and names them twice. */
const bytesPerSearch = 4_000_000;
/** An environment may have hundreds of kilobytes. */
const environmentsPerRead = 50;

/** Jobs of stored nodes. */
export class NodeJobsRepository {
  readonly #nodes: Collection<NodeDocument>;

  constructor(db: Db) {
    this.#nodes = collection(db, nodesCollection);
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
      for await (const { name, job } of found) outputs.set(name, job?.payload.outputs ?? []);
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

  /** Names and requirements of nodes, in no order. */
  async kinds(ids: readonly string[]): Promise<readonly NodeRequirements[]> {
    const projection = { name: 1, 'job.requirements': 1 } as const;
    const found = await this.#nodes.find({ _id: { $in: [...ids] } }, { projection }).toArray();
    return found.flatMap(({ name, job }) =>
      job ? [{ node: { name }, requirements: job.requirements }] : [],
    );
  }

  /** The first node that cannot be part of a template: it adds nodes, or reads from a label. */
  outsideTemplates(
    workflowId: string,
    count: number,
  ): Promise<Pick<NodeDocument, 'name' | 'maxAdded'> | null> {
    const readsLabel = { 'job.payload.nodeInputs.files.label': { $exists: true } };
    return this.#nodes.findOne<Pick<NodeDocument, 'name' | 'maxAdded'>>(
      {
        _id: nodeRange(workflowId, 0, count),
        $or: [{ maxAdded: { $exists: true } }, readsLabel],
      } as Filter<NodeDocument>,
      { projection: { _id: 0, name: 1, maxAdded: 1 }, sort: { _id: 1 }, hint: '_id_' },
    );
  }

  /** Requirement classes of the first nodes with each label, each with one of the nodes. */
  async *kindsByLabel(workflowId: string, count: number): AsyncGenerator<LabelledKind> {
    yield* this.#nodes.aggregate<LabelledKind>([
      { $match: { _id: nodeRange(workflowId, 0, count), job: { $exists: true } } },
      ...kindsOf(''),
    ]);
  }

  /** Requirement classes of nodes, each with one of them; at most `limit`. */
  async classes(
    workflowId: string,
    nodes: readonly number[],
    limit: number,
  ): Promise<ReadonlyMap<string, NodeRequirements>> {
    const classes = new Map<string, NodeRequirements>();
    for (let start = 0; start < nodes.length && classes.size < limit; start += nodesPerRead) {
      const ids = nodes.slice(start, start + nodesPerRead).map((node) => nodeIdOf(workflowId, node));
      const first = { name: { $first: '$name' }, requirements: { $first: '$job.requirements' } };
      const found = this.#nodes.aggregate<{
        readonly _id: string;
        readonly name: string;
        readonly requirements: StoredRequirements;
      }>([
        { $match: { _id: { $in: ids }, job: { $exists: true } } },
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
      for (const { name, job } of found) if (job) yield { name, payload: job.payload };
    }
  }

  /** Datasets that nodes add outputs to, each with the name of one of the nodes. */
  async datasets(workflowId: string, nodes: readonly number[]): Promise<ReadonlyMap<string, string>> {
    const datasets = new Map<string, string>();
    const field = 'job.payload.outputDatasets';
    for (let start = 0; start < nodes.length; start += nodesPerRead) {
      const ids = nodes.slice(start, start + nodesPerRead).map((node) => nodeIdOf(workflowId, node));
      const found = this.#nodes.find(
        { _id: { $in: ids }, [field]: { $exists: true } },
        { projection: { _id: 0, name: 1, [field]: 1 } },
      );
      for await (const { name, job } of found)
        for (const { datasetId } of job?.payload.outputDatasets ?? []) datasets.set(datasetId, name);
    }
    return datasets;
  }

  /** Datasets that the first nodes of a workflow add outputs to, each with the name of one of the nodes. */
  async firstDatasets(workflowId: string, count: number): Promise<ReadonlyMap<string, string>> {
    const field = 'job.payload.outputDatasets';
    const found = this.#nodes.aggregate<NodeDataset>([
      { $match: { _id: nodeRange(workflowId, 0, count), [field]: { $exists: true } } },
      ...datasetsOf(`$${field}`, '$name'),
    ]);
    return new Map((await found.toArray()).map(({ _id, node }) => [_id, node]));
  }

  /** Secrets that the first nodes of a workflow name, each with the name of one of the nodes. */
  async secrets(workflowId: string, count: number): Promise<readonly NodeSecret[]> {
    return this.#nodes
      .aggregate<NodeSecret>([
        { $match: { _id: nodeRange(workflowId, 0, count), 'job.payload.secrets': { $exists: true } } },
        ...secretsOf('$job.payload.secrets', '$name'),
      ])
      .toArray();
  }

  /** Workflows with nodes that will add outputs to a dataset: some may have been given up. */
  async addingTo(datasetId: string): Promise<readonly string[]> {
    const found = this.#nodes.aggregate<{ readonly _id: string }>(
      [
        {
          $match: {
            'job.payload.outputDatasets.datasetId': datasetId,
            state: { $in: [...unendedNodeStates] },
          },
        },
        { $group: { _id: '$workflowId' } },
      ],
      { hint: 'outputDataset_idx', readConcern: { level: 'majority' } },
    );
    return (await found.toArray()).map(({ _id }) => _id);
  }

  /**
   * Workflows with nodes that will read one of the locations, by location: some may have been given up.
   * @throws MongoError if it took too long
   */
  reading(locations: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    return readingNodes(this.#nodes, 'job', { state: { $in: [...unendedNodeStates] } }, locations);
  }

  /** Workflows with nodes that will use an upload: some may have been given up. */
  async usingUpload(uploadId: string): Promise<readonly string[]> {
    const found = this.#nodes.aggregate<{ readonly _id: string }>(
      [
        { $match: { 'job.payload.uploadId': uploadId, state: { $in: [...unendedNodeStates] } } },
        { $group: { _id: '$workflowId' } },
      ],
      { hint: 'upload_idx', maxTimeMS: longestMs, readConcern: { level: 'majority' } },
    );
    return (await found.toArray()).map(({ _id }) => _id);
  }
}

/** Workflows of stored nodes that name one of the locations as an input, by location. */
export async function readingNodes<T extends Document>(
  nodes: Collection<T>,
  job: 'job' | 'node.job',
  filter: Document,
  locations: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const workflows = new Map<string, string[]>();
  for (const field of ['location', 'otherLocations'] as const)
    for (const part of partsOfTexts(locations, bytesPerSearch)) {
      const path = `${job}.payload.inputs.${field}`;
      const found = nodes.aggregate<{ readonly _id: string; readonly ids: string[] }>(
        [
          { $match: { [path]: { $in: [...part] }, ...filter } },
          { $project: { workflowId: 1, place: `$${path}` } },
          { $unwind: '$place' },
          ...(field === 'otherLocations' ? [{ $unwind: '$place' }] : []),
          { $match: { place: { $in: [...part] } } },
          { $group: { _id: '$place', ids: { $addToSet: '$workflowId' } } },
        ],
        { hint: `input_${field}_idx`, maxTimeMS: longestMs, readConcern: { level: 'majority' } },
      );
      for await (const { _id, ids } of found) workflows.set(_id, [...(workflows.get(_id) ?? []), ...ids]);
    }
  return workflows;
}
