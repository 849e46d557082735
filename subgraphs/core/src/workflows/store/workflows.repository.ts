/** Access to the collection of workflows. */
import { collection, isDuplicateKey, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { Collection, Db, Document, Filter, UpdateFilter } from 'mongodb';
import { type Visibility, visibleIn } from '../../shared/visibility.js';
import type { LiveUsage } from '../../jobs/model/job.types.js';
import {
  activeStates,
  type StepContent,
  type StoredStep,
  type WorkflowState,
} from '../model/workflow.types.js';
import { type WorkflowDocument, workflowFields, workflowsCollection } from '../model/workflow.document.js';

/** Filter of workflows; absent fields do not filter. */
export interface WorkflowFilter {
  readonly experiments?: readonly string[] | null | undefined;
  readonly states?: readonly WorkflowState[] | null | undefined;
  readonly owners?: readonly string[] | null | undefined;
  readonly names?: readonly string[] | null | undefined;
}

/** Fields that a step changes in the workflow; null removes one. */
export type WorkflowPatch = {
  readonly [
    K in
      | 'state'
      | 'nodes'
      | 'bytes'
      | 'parts'
      | 'partCount'
      | 'groups'
      | 'groupEdges'
      | 'endedAt'
      | 'pause'
      | 'cancel'
      | 'sealedAt'
      | 'isSealing'
      | 'layers'
      | 'isEmptied'
      | 'retries'
      | 'additions'
  ]?: WorkflowDocument[K] | null;
};

/** Fields of a workflow that its work begins with. */
export type WorkflowHead = Pick<WorkflowDocument, '_id' | 'step' | 'createdAt' | 'updatedAt'>;

const headPage = 1000;
const idsPerRead = 10_000;
const majority = { writeConcern: { w: 'majority' } } as const;
const read = { readConcern: { level: 'majority' }, promoteBuffers: true } as const;

/** Stored workflows. */
export class WorkflowsRepository {
  readonly #workflows: Collection<WorkflowDocument>;

  constructor(db: Db) {
    this.#workflows = collection(db, workflowsCollection);
  }

  find(id: string): Promise<WorkflowDocument | null> {
    return this.#workflows.findOne({ _id: id }, read);
  }

  /** Numbers from which the places of edges follow. */
  size(id: string): Promise<Pick<WorkflowDocument, '_id' | 'nodes' | 'additions'> | null> {
    return this.#workflows.findOne({ _id: id }, { projection: { nodes: 1, additions: 1 } });
  }

  /** Fields from which the progress of sub-graphs follows. */
  scopes(
    ids: readonly string[],
  ): Promise<readonly Pick<WorkflowDocument, '_id' | 'templates' | 'additions'>[]> {
    const projection = { templates: 1, additions: 1 } as const;
    return this.#workflows.find({ _id: { $in: [...ids] } }, { projection }).toArray();
  }

  findMany(ids: readonly string[]): Promise<readonly WorkflowDocument[]> {
    return this.#workflows.find({ _id: { $in: [...ids] } }, { projection: workflowFields }).toArray();
  }

  /** Inserts a workflow. One that exists and is OPEN counts as changed now: its submission goes on. */
  async insert(workflow: WorkflowDocument): Promise<void> {
    try {
      await this.#workflows.insertOne(workflow, majority);
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      const { _id, updatedAt } = workflow;
      // The step is raised so that a process which has read it before does not cancel it.
      await this.#workflows.updateOne(
        { _id, state: 'OPEN' },
        { $set: { updatedAt }, $inc: { step: 1, revision: 1 } },
        majority,
      );
    }
  }

  /**
   * Records the next step, or only changes the workflow. The step before must be applied. @returns the
   * workflow after it; null if another step was recorded since it was read
   */
  record(
    { _id, step }: Pick<WorkflowDocument, '_id' | 'step'>,
    content: StepContent | undefined,
    patch: WorkflowPatch,
    now: Date,
  ): Promise<WorkflowDocument | null> {
    const entries = Object.entries(patch);
    const set = Object.fromEntries(entries.filter(([, value]) => value !== null));
    const unset = Object.fromEntries(
      entries.flatMap(([field, value]) => (value === null ? [[field, '']] : [])),
    );
    const open: StoredStep | undefined = content && { ...content, at: now };
    const removed = { ...unset, claimedUntil: '', ...(open ? {} : { open: '' }) };
    return this.#workflows.findOneAndUpdate(
      { _id, step },
      {
        $set: { ...set, ...(open ? { open } : {}), updatedAt: now },
        $unset: removed,
        $inc: { step: 1, revision: 1 },
      } as UpdateFilter<WorkflowDocument>,
      { returnDocument: 'after', promoteBuffers: true, ...majority },
    );
  }

  /** Removes the step of the workflow, which is applied. */
  async applied({ _id, step }: Pick<WorkflowDocument, '_id' | 'step'>, now: Date): Promise<void> {
    await this.#workflows.updateOne(
      { _id, step, open: { $exists: true } },
      { $unset: { open: '' }, $set: { updatedAt: now }, $inc: { revision: 1 } },
      majority,
    );
  }

  /** Keeps the leader from further steps of a workflow until then, or the next step. */
  async claim(id: string, until: Date): Promise<void> {
    await this.#workflows.updateOne(
      { _id: id },
      { $set: { claimedUntil: until }, $inc: { revision: 1 } },
      majority,
    );
  }

  /** Lets the leader take steps again. */
  async release(id: string): Promise<void> {
    await this.#workflows.updateOne(
      { _id: id, claimedUntil: { $exists: true } },
      { $unset: { claimedUntil: '' }, $inc: { revision: 1 } },
      majority,
    );
  }

  /** A page of workflows, the newest first. @throws DomainError CURSOR_INVALID */
  page(
    wanted: WorkflowFilter,
    visibility: Visibility,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<WorkflowDocument>> {
    const order = [{ field: '_id', direction: -1 }] as const;
    const filter = conditionOf(wanted, visibility);
    return keysetPage({ collection: this.#workflows, filter, order, projection: workflowFields, ...page });
  }

  /** Workflows whose nodes and edges are to be deleted, and that have not changed since then. */
  toEmpty(since: Date, limit: number): Promise<readonly Pick<WorkflowDocument, '_id' | 'step'>[]> {
    const due = { isEmptied: false, updatedAt: { $lte: since } };
    return this.#workflows.find(due, { projection: { step: 1 }, limit, hint: 'isEmptied_idx' }).toArray();
  }

  /** Number of the workflows of an owner that are submitted in parts and not sealed, at most `limit`. */
  unsealed(
    { experiment, owner }: Pick<WorkflowDocument, 'experiment' | 'owner'>,
    limit: number,
  ): Promise<number> {
    const filter = { state: 'OPEN', experiment, owner, parts: { $exists: true } } as const;
    return this.#workflows.countDocuments(filter, { limit, hint: 'state_idx' });
  }

  /**
   * Nodes that wait in workflows of an experiment, or that sub-graphs may still add, by owner, and the bytes
   * of their payloads and parts.
   */
  async waiting(experiment: string, maxTimeMS: number): Promise<ReadonlyMap<string, LiveUsage>> {
    const nodes = { $sum: '$groups.counts.WAITING' };
    const part = { $divide: [nodes, { $max: ['$nodes', 1] }] };
    // What the seal needs, and deletes.
    const pieces = { $cond: [{ $eq: ['$state', 'OPEN'] }, { $sum: '$parts.pieceBytes' }, 0] };
    const found = this.#workflows.aggregate<LiveUsage & { readonly _id: string }>(
      [
        { $match: { state: { $in: ['OPEN', ...activeStates] }, experiment } },
        {
          $group: {
            _id: '$owner',
            jobs: { $sum: { $add: [nodes, stillNestedOf('nodes')] } },
            bytes: {
              $sum: {
                $add: [{ $multiply: [{ $ifNull: ['$bytes', 0] }, part] }, pieces, stillNestedOf('bytes')],
              },
            },
          },
        },
      ],
      { hint: 'state_idx', maxTimeMS },
    );
    const usage = new Map<string, LiveUsage>();
    for await (const { _id, jobs, bytes } of found) usage.set(_id, { jobs, bytes: Number(bytes) });
    return usage;
  }

  /** True if a workflow that has not ended submits jobs to the share. */
  async usesShare(experiment: string, share: string): Promise<boolean> {
    const filter = { state: { $in: ['OPEN', ...activeStates] }, experiment, share } as const;
    const found = await this.#workflows.findOne(filter as Filter<WorkflowDocument>, {
      projection: { _id: 1 },
      hint: 'state_idx',
    });
    return found !== null;
  }

  /** Id of one of the workflows that has not ended; undefined if all have. */
  async unended(ids: readonly string[]): Promise<string | undefined> {
    const [first] = await this.unendedAmong(ids);
    return first;
  }

  /** Ids of those of the workflows that have not ended. */
  async unendedAmong(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const distinct = [...new Set(ids)];
    const unended = new Set<string>();
    for (let start = 0; start < distinct.length; start += idsPerRead) {
      const some = distinct.slice(start, start + idsPerRead);
      const filter = { _id: { $in: some }, state: { $in: ['OPEN', ...activeStates] } } as const;
      const options = { projection: { _id: 1 }, readConcern: { level: 'majority' } } as const;
      for await (const { _id } of this.#workflows.find(filter as Filter<WorkflowDocument>, options))
        unended.add(_id);
    }
    return unended;
  }

  /** Workflows in one of the states, in order. They are read in pages. */
  async *inStates(states: readonly WorkflowState[]): AsyncGenerator<WorkflowHead> {
    const options = {
      projection: { step: 1, createdAt: 1, updatedAt: 1 },
      sort: { _id: 1 },
      limit: headPage,
    } as const;
    let page: readonly WorkflowHead[];
    let behind = '';
    do {
      page = await this.#workflows
        .find({ state: { $in: [...states] }, _id: { $gt: behind } }, options)
        .toArray();
      yield* page;
      behind = page.at(-1)?._id ?? '';
    } while (page.length === headPage);
  }
}

/** Expression of what the sub-graphs of a workflow may still add. */
function stillNestedOf(field: 'nodes' | 'bytes'): Document {
  const scoped = { $filter: { input: { $ifNull: ['$additions', []] }, as: 'one', cond: '$$one.scope' } };
  const added = { $map: { input: scoped, as: 'one', in: { $sum: `$$one.calls.${field}` } } };
  const left = { $subtract: [`$nesting.${field}`, { $sum: added }] };
  return { $cond: ['$nesting', { $max: [left, 0] }, 0] };
}

function conditionOf(
  { experiments, states, owners, names }: WorkflowFilter,
  visibility: Visibility,
): Filter<WorkflowDocument> {
  return {
    $and: [
      visibleIn(visibility),
      ...(experiments ? [{ experiment: { $in: [...experiments] } }] : []),
      ...(states ? [{ state: { $in: [...states] } }] : []),
      ...(owners ? [{ owner: { $in: [...owners] } }] : []),
      ...(names ? [{ name: { $in: [...names] } }] : []),
    ],
  } as Filter<WorkflowDocument>;
}
