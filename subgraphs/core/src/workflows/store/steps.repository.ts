/**
 * Writes of steps to nodes. Each changes only nodes that no step of the same or a higher number has changed,
 * so that it may be repeated.
 */
import { collection } from '@rhizome/mongo';
import type { Collection, Db, Document, Filter } from 'mongodb';
import type { PayloadChanges } from '../../jobs/bulk/retry-changes.js';
import { nodeIdOf, type NodeDocument, nodeRange, nodesCollection } from '../model/node.document.js';
import { nodesFromBits } from '../model/node-bits.js';
import type { ChangedNodes, NodeEnd, StepContent } from '../model/workflow.types.js';
import type { ResetNumbers } from '../model/reset.js';

/** Step as its writes need it. */
export interface StepTarget {
  readonly workflowId: string;
  /** Number of the step. */
  readonly step: number;
  /** Time of the step. */
  readonly at: Date;
}

/** Additions of a step to the numbers of some nodes. */
export interface AddedEdges {
  readonly met: number;
  readonly lost: number;
  /** See `NodeDocument.cause`; if an edge was lost. */
  readonly cause?: number | undefined;
}

/** Nodes to whose numbers the same is added. */
export interface AddedToNodes extends AddedEdges {
  readonly nodes: readonly number[];
}

const majority = { writeConcern: { w: 'majority' } } as const;
const pageSize = 1000;
/** Most nodes with their jobs that are in memory at a time. */
const jobsPerPage = 500;

/** Nodes, as steps change them. */
export class StepsRepository {
  readonly #nodes: Collection<NodeDocument>;

  constructor(db: Db) {
    this.#nodes = collection(db, nodesCollection);
  }

  /** Ends nodes, or gives those that have ended another end. */
  async end(target: StepTarget, ends: readonly NodeEnd[]): Promise<void> {
    const groups = new Map<string, { readonly end: NodeEnd; readonly nodes: number[] }>();
    for (const end of ends) {
      const key = JSON.stringify([end.state, end.reason, end.by]);
      const known = groups.get(key);
      if (known) known.nodes.push(end.node);
      else groups.set(key, { end, nodes: [end.node] });
    }
    for (const { end, nodes } of groups.values()) {
      const { state, reason, by } = end;
      const set = {
        state,
        ...(reason === undefined ? {} : { reason: { $literal: reason } }),
        ...(by === undefined ? {} : { by: { $literal: by } }),
        endedAt: { $ifNull: ['$endedAt', target.at] },
      };
      const update = [...changing(target, set), { $unset: ['outcome'] }];
      for (const page of pagesOf(nodes))
        await this.#nodes.updateMany(unchanged(target, page), update, majority);
    }
  }

  /** Adds edges to the numbers of nodes, which may make them READY or DOOMED; each node occurs once. */
  async add(target: StepTarget, all: readonly AddedToNodes[]): Promise<void> {
    const writes = all.flatMap(({ nodes, ...added }) => {
      const update = adding(target, added);
      return [...pagesOf(nodes)].map((page) => ({
        updateMany: { filter: unchanged(target, page), update },
      }));
    });
    for (let start = 0; start < writes.length; start += pageSize)
      await this.#nodes.bulkWrite(writes.slice(start, start + pageSize), { ordered: false, ...majority });
  }

  /** Adds edges to the numbers of all nodes of a label that were submitted, or of all final nodes. */
  async addToGroup(
    target: StepTarget,
    { label, nodes }: { readonly label: string | undefined; readonly nodes: number },
    added: AddedEdges,
  ): Promise<void> {
    const { workflowId, step } = target;
    const members = label === undefined ? { isFinal: true } : { label, isFinal: false };
    await this.#nodes.updateMany(
      { workflowId, _id: nodeRange(workflowId, 0, nodes), ...members, step: { $lt: step } },
      adding(target, added),
      majority,
    );
  }

  /** Begins with an iteration of a sub-graph: its first nodes count that. */
  async enter(
    target: StepTarget,
    { first, nodes }: { readonly first: number; readonly nodes: number },
  ): Promise<void> {
    const { workflowId, step } = target;
    await this.#nodes.updateMany(
      { _id: nodeRange(workflowId, first, first + nodes), isEntry: true, step: { $lt: step } },
      adding(target, { met: 1, lost: 0 }),
      majority,
    );
  }

  /** Lets nodes run that have no job: their sub-graphs begin, or go on. */
  async open(target: StepTarget, nodes: readonly number[]): Promise<void> {
    const update = [
      ...changing(target, { state: 'SUBMITTED' }),
      { $unset: ['endedAt', 'outcome', 'reason', 'by'] },
    ];
    for (const page of pagesOf(nodes))
      await this.#nodes.updateMany(unchanged(target, page), update, majority);
  }

  /** Submits nodes; their jobs are created afterwards. */
  async submit(target: StepTarget, nodes: readonly number[]): Promise<void> {
    const update = changing(target, { state: 'SUBMITTED', submittedAt: target.at });
    for (const page of pagesOf(nodes))
      await this.#nodes.updateMany(unchanged(target, page), update, majority);
  }

  /**
   * Nodes that the step submitted and no later one has changed, with their jobs, in pages of which the driver
   * holds one at a time: an answer of the store has at most 16 MiB.
   */
  async *submitted(
    { workflowId, step }: StepTarget,
    nodes: readonly number[],
  ): AsyncGenerator<readonly NodeDocument[]> {
    const filter = { _id: { $in: idsOf(workflowId, nodes) }, step };
    const cursor = this.#nodes.find(filter, { batchSize: jobsPerPage });
    try {
      while (await cursor.hasNext()) yield cursor.readBufferedDocuments();
    } finally {
      await cursor.close();
    }
  }

  /** Lets nodes begin again with these numbers, in the name of a principal, some with other requirements. */
  async reset(
    target: StepTarget,
    numbers: readonly ResetNumbers[],
    { by, changed }: Pick<Extract<StepContent, { kind: 'RESET' }>, 'by' | 'changed'> = {},
  ): Promise<void> {
    const isChanged = changed ? nodesFromBits(changed.nodes) : new Set<number>();
    const requestedBy = by === undefined ? '$$REMOVE' : { $literal: by };
    const groups = new Map<string, ResetNumbers[]>();
    for (const one of numbers) {
      const key = `${one.state} ${one.met} ${one.lost} ${one.cause} ${isChanged.has(one.node)}`;
      const known = groups.get(key);
      if (known) known.push(one);
      else groups.set(key, [one]);
    }
    for (const [first, ...others] of groups.values()) {
      if (!first) continue;
      const { state, met, lost, cause } = first;
      const update = [
        ...changing(target, {
          ...{ state, met, lost, requestedBy },
          ...(changed && isChanged.has(first.node) ? { job: jobIn(changed) } : {}),
          cause: cause ?? '$$REMOVE',
          run: { $add: ['$run', ran] },
        }),
        { $unset: ['submittedAt', 'endedAt', 'outcome', 'reason', 'by'] },
      ];
      for (const page of pagesOf([first, ...others].map(({ node }) => node)))
        await this.#nodes.updateMany(unchanged(target, page), update, majority);
    }
  }
}

function unchanged({ workflowId, step }: StepTarget, nodes: readonly number[]): Filter<NodeDocument> {
  return { _id: { $in: idsOf(workflowId, nodes) }, step: { $lt: step } };
}

/** Pipeline that sets values, and the step as the one that did. */
function changing({ step, at }: StepTarget, set: Document): Document[] {
  return [{ $set: { ...set, step, updatedAt: at, revision: { $add: ['$revision', 1] } } }];
}

function adding(target: StepTarget, { met, lost, cause }: AddedEdges): Document[] {
  const isDoomed = { $lt: [{ $subtract: ['$total', '$lost'] }, '$needed'] };
  return [
    ...changing(target, { met: { $add: ['$met', met] }, lost: { $add: ['$lost', lost] } }),
    {
      $set: {
        state: {
          $cond: [
            { $ne: ['$state', 'WAITING'] },
            '$state',
            {
              $cond: [{ $gte: ['$met', '$needed'] }, 'READY', { $cond: [isDoomed, 'DOOMED', '$state'] }],
            },
          ],
        },
        ...(cause === undefined ? {} : { cause: { $ifNull: ['$cause', cause] } }),
      },
    },
  ];
}

function idsOf(workflowId: string, nodes: readonly number[]): string[] {
  return nodes.map((node) => nodeIdOf(workflowId, node));
}

/** One if a node was submitted; the number of its runs grows by it. */
const ran = { $cond: [{ $eq: [{ $type: '$submittedAt' }, 'missing'] }, 0, 1] };

/** Expression of the job of a node, with the requirements of its new class, and another program. */
function jobIn({ classes, payload }: ChangedNodes): Document {
  const changed = payload ? { payload: payloadIn(payload) } : {};
  if (classes.length === 0) return { $mergeObjects: ['$job', changed] };
  const branches = classes.map(({ from, to, requirements }) => ({
    case: { $eq: ['$job.classId', from] },
    then: { $literal: { classId: to, requirements } },
  }));
  return { $mergeObjects: ['$job', { $switch: { branches, default: {} } }, changed] };
}

function payloadIn({ command, arguments: given, image, environment }: PayloadChanges): Document {
  const values = {
    ...(command === undefined ? {} : { command }),
    ...(given === undefined ? {} : { arguments: given }),
    ...(image === undefined ? {} : { image }),
  };
  if (!environment) return { $mergeObjects: ['$job.payload', { $literal: values }] };
  const names = { $literal: environment.map(({ name }) => name) };
  const isKept = { $not: [{ $in: ['$$this.name', names] }] };
  const kept = { $filter: { input: '$job.payload.environment', cond: isKept } };
  const added = { $literal: environment.filter(({ value }) => value !== null) };
  const variables = { environment: { $concatArrays: [kept, added] } };
  return { $mergeObjects: ['$job.payload', { $literal: values }, variables] };
}

function* pagesOf(nodes: readonly number[]): Generator<readonly number[]> {
  for (let start = 0; start < nodes.length; start += pageSize) yield nodes.slice(start, start + pageSize);
}
