import { keysetPage, type KeysetPage, keysetPages, largestCount } from '@rhizome/mongo';
import type { AnyBulkWriteOperation, Collection, Document, Filter } from 'mongodb';
import type { JobFilterPlan } from './job-filter.js';
import { type Visibility, visibleIn } from '../../shared/visibility.js';
import { GroupedReads } from '../../shared/grouped-reads.js';
import { jobIndex } from './job.document.js';
import { liveStates, terminalStates } from './job-state.js';
import type { JobDocument } from './job.types.js';
import { parentKey, repeatedKey } from './new-job.js';
import { insertAbsent } from '../../shared/duplicate-keys.repository.js';

/** Stored fields to read. */
export type JobProjection = Readonly<Record<string, 1>>;

/** Fields of a parent that its children need. */
export type ParentFacts = Pick<JobDocument, '_id' | 'experiment' | 'owner' | 'state'>;

/** Maximum number of documents per insert. */
const insertBatch = 1000;
/** Longest time of a search, in milliseconds. */
const longestSearchMs = 5000;
/** Maximum number of ids per query. */
const findBatch = 10_000;

/** Fields to read, of the jobs that a caller may read. */
interface VisibleFields {
  readonly fields: JobProjection;
  readonly visible: Visibility;
}

/** Reads and inserts jobs. Transitions are written by `transitions.repository.ts`. */
export class JobsRepository {
  readonly #jobs: Collection<JobDocument>;
  readonly #searchMs: number;
  readonly #reads: GroupedReads<JobDocument, JobProjection | undefined>;
  readonly #visibleReads: GroupedReads<JobDocument, VisibleFields>;

  constructor(jobs: Collection<JobDocument>, searchMs = longestSearchMs) {
    this.#jobs = jobs;
    this.#searchMs = searchMs;
    this.#reads = new GroupedReads({
      most: findBatch,
      keyOf: (projection) => (projection ? Object.keys(projection).join() : '*'),
      read: ({ ids, projection }) =>
        jobs.find({ _id: { $in: [...ids] } }, projection ? { projection } : {}).toArray(),
    });
    this.#visibleReads = new GroupedReads({
      most: findBatch,
      keyOf: ({ fields, visible: { experiments } }) =>
        `${experiments === '*' ? '*' : experiments.join()} ${Object.keys(fields).join()}`,
      read: ({ ids, projection: { fields, visible } }) =>
        jobs.find({ _id: { $in: [...ids] }, ...visibleIn(visible) }, { projection: fields }).toArray(),
    });
  }

  /** Inserts jobs; existing ones are not changed. Resolves when the write is acknowledged by the majority. */
  async insertNew(jobs: readonly JobDocument[]): Promise<void> {
    for (let start = 0; start < jobs.length; start += insertBatch)
      await insertAbsent(this.#jobs, jobs.slice(start, start + insertBatch));
  }

  /**
   * Jobs by id that a caller may read, in no order. The store does not read the others to the end, so that an
   * invisible job costs what a missing one costs.
   */
  async findVisible(
    visible: Visibility,
    ids: readonly string[],
    fields: JobProjection,
  ): Promise<readonly JobDocument[]> {
    return inParts(ids, (part) => this.#visibleReads.find({ ids: part, projection: { fields, visible } }));
  }

  /** Jobs by id, in no order, for work of the system itself; missing ones are left out. */
  async find(ids: readonly string[], projection?: JobProjection): Promise<readonly JobDocument[]> {
    return inParts(ids, (part) => this.#reads.find({ ids: part, projection }));
  }

  /** Ids of the jobs that exist. */
  async existing(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const found = await this.find(ids, { _id: 1 });
    return new Set(found.map(({ _id }) => _id));
  }

  /** Parents by id. */
  async parents(ids: readonly string[]): Promise<ReadonlyMap<string, ParentFacts>> {
    const found = await this.find(ids, { experiment: 1, owner: 1, state: 1 });
    return new Map(found.map((job) => [job._id, job]));
  }

  /**
   * Returns true if a share has a job that is not terminal. If it has none, all live jobs of its experiment
   * are scanned.
   */
  async hasLive(experiment: string, share: string): Promise<boolean> {
    const filter = { experiment, state: { $in: [...liveStates] }, share };
    const found = await this.#jobs.findOne(filter, {
      projection: { _id: 1 },
      hint: jobIndex.experimentState,
    });
    return found !== null;
  }

  /** Page of jobs, ordered by id. */
  async page(
    plan: JobFilterPlan,
    request: {
      readonly direction: 1 | -1;
      readonly first: number;
      readonly after?: string | null | undefined;
      readonly projection: JobProjection;
    },
  ): Promise<KeysetPage<JobDocument>> {
    const { direction, first, after, projection } = request;
    const order = [{ field: '_id', direction }];
    const pages = await Promise.all(
      plan.branches.map((branch) =>
        keysetPage({
          collection: this.#jobs,
          filter: branch as Filter<JobDocument>,
          order,
          first,
          after,
          projection,
          hint: plan.index,
          ...(plan.isSearch ? { maxTimeMs: this.#searchMs } : {}),
        }),
      ),
    );
    return mergePages(pages, direction, first);
  }

  /** Several pages, in order; pages that need a single query are read by one command. */
  async pages(
    requests: readonly {
      readonly plan: JobFilterPlan;
      readonly direction: 1 | -1;
      readonly first: number;
      readonly after?: string | null | undefined;
      readonly projection: JobProjection;
    }[],
  ): Promise<readonly KeysetPage<JobDocument>[]> {
    if (requests.some(({ plan }) => plan.branches.length !== 1 || plan.isSearch))
      return Promise.all(requests.map(({ plan, ...request }) => this.page(plan, request)));
    return keysetPages(
      requests.map(({ plan, direction, ...request }) => ({
        ...request,
        collection: this.#jobs,
        filter: plan.branches[0] as Filter<JobDocument>,
        order: [{ field: '_id', direction }],
        hint: plan.index,
      })),
    );
  }

  /** Ids that match, in order, after a position; at most `limit`. */
  async ids(plan: JobFilterPlan, limit: number, behind?: string): Promise<readonly string[]> {
    const found = await Promise.all(
      plan.branches.map((branch) => {
        const filter = behind === undefined ? branch : { $and: [branch, { _id: { $gt: behind } }] };
        return this.#jobs
          .find(filter as Filter<JobDocument>, {
            projection: { _id: 1 },
            sort: { _id: 1 },
            limit,
            hint: plan.index,
          })
          .toArray();
      }),
    );
    const ids = found.flat().map(({ _id }) => _id);
    return (plan.branches.length > 1 ? ids.sort() : ids).slice(0, limit);
  }

  /** Number of matching jobs. */
  async count(plan: JobFilterPlan): Promise<number> {
    const counts = await Promise.all(
      plan.branches.map((branch) =>
        this.#jobs.countDocuments(branch as Filter<JobDocument>, { hint: plan.index }),
      ),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** PENDING children of the given parents, with the fields that their activation needs. */
  async waitingChildren(
    parentIds: readonly string[],
    limit: number,
  ): Promise<readonly Pick<JobDocument, '_id' | 'waitingFor'>[]> {
    const lookup = { $in: parentIds.map(parentKey) };
    return this.#jobs
      .find({ lookup, state: 'PENDING' }, { projection: { waitingFor: 1 }, limit, hint: jobIndex.lookup })
      .toArray();
  }

  /**
   * Parents that PENDING jobs wait for, in batches; a parent may occur in several batches. For recovery:
   * reads every such job.
   */
  async *awaitedParents(): AsyncGenerator<readonly string[]> {
    const cursor = this.#jobs.find(
      { lookup: keysFrom('p:', 'p;'), state: 'PENDING' },
      { projection: { waitingFor: 1 }, hint: jobIndex.lookup, batchSize: insertBatch },
    );
    let parents = new Set<string>();
    for await (const { waitingFor } of cursor) {
      waitingFor.forEach((id) => parents.add(id));
      if (parents.size < insertBatch) continue;
      yield [...parents];
      parents = new Set();
    }
    if (parents.size > 0) yield [...parents];
  }

  /**
   * Removes finished parents from jobs that cannot be activated yet because they wait for other parents or
   * are held. A job that waits only for these parents and is not held keeps them until it is activated, so
   * that no job is PENDING without a reason.
   * @returns the number of changed jobs
   */
  async dropParents(childIds: readonly string[], parentIds: readonly string[]): Promise<number> {
    const filter = {
      _id: { $in: [...childIds] },
      state: 'PENDING' as const,
      $or: [{ hold: { $exists: true } }, { waitingFor: { $elemMatch: { $nin: [...parentIds] } } }],
    };
    const update = {
      $pull: { waitingFor: { $in: [...parentIds] }, lookup: { $in: parentIds.map(parentKey) } },
    };
    const { modifiedCount } = await this.#jobs.updateMany(filter as Filter<JobDocument>, update as Document, {
      writeConcern: { w: 'majority' },
    });
    return modifiedCount;
  }

  /** Ids of children that were closed while they waited for one of the parents, page by page. */
  async *closedChildren(parentIds: readonly string[], pageSize: number): AsyncGenerator<readonly string[]> {
    const lookup = { $in: parentIds.map(parentKey) };
    const options = { projection: { _id: 1 }, batchSize: pageSize, hint: jobIndex.lookup } as const;
    let page: string[] = [];
    for await (const { _id } of this.#jobs.find({ lookup, state: 'CLOSED' }, options)) {
      if (page.push(_id) < pageSize) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  }

  /** PENDING jobs whose backoff ends at or before a time, in the order of these times. */
  async dueBackoffs(until: Date, limit: number): Promise<readonly Pick<JobDocument, '_id' | 'notBefore'>[]> {
    return this.#backoffs(`b:${until.toISOString()}`, limit);
  }

  /** Time at which the next backoff ends; null if there is none. */
  async nextBackoff(): Promise<Date | null> {
    const [first] = await this.#backoffs('b;', 1);
    return first?.notBefore ?? null;
  }

  /** Backoffs in the order of the index, by time. */
  async #backoffs(until: string, limit: number): Promise<readonly Pick<JobDocument, '_id' | 'notBefore'>[]> {
    return this.#jobs
      .find(
        { lookup: keysFrom('b:', until), state: 'PENDING' },
        { projection: { notBefore: 1 }, limit, hint: jobIndex.lookup },
      )
      .toArray();
  }

  /**
   * Marks terminal jobs as retried by copies. In their tasks, the copies count instead.
   * @returns the jobs that these copies were the first to retry
   */
  async markRepeated(
    pairs: readonly { readonly source: string; readonly copy: string; readonly taskId: string | undefined }[],
  ): Promise<ReadonlySet<string>> {
    if (pairs.length === 0) return new Set();
    const operations: AnyBulkWriteOperation<JobDocument>[] = pairs.map(({ source, copy, taskId }) => ({
      updateOne: {
        filter: { _id: source, state: { $in: [...terminalStates] }, retriedBy: { $exists: false } },
        update: {
          $set: { retriedBy: copy },
          ...(taskId === undefined ? {} : { $addToSet: { lookup: repeatedKey(taskId) } }),
        },
      },
    }));
    await this.#jobs.bulkWrite(operations, { ordered: false, writeConcern: { w: 'majority' } });
    const marked = await this.find(
      pairs.map(({ source }) => source),
      { retriedBy: 1 },
    );
    const copies = new Set(pairs.map(({ copy }) => copy));
    return new Set(
      marked
        .filter(({ retriedBy }) => retriedBy !== undefined && copies.has(retriedBy))
        .map(({ _id }) => _id),
    );
  }
}

/** Reads by at most as many ids at once as one query may have. */
async function inParts(
  ids: readonly string[],
  read: (part: readonly string[]) => Promise<readonly JobDocument[]>,
): Promise<readonly JobDocument[]> {
  if (ids.length <= findBatch) return read(ids);
  const found: JobDocument[] = [];
  for (let start = 0; start < ids.length; start += findBatch)
    found.push(...(await read(ids.slice(start, start + findBatch))));
  return found;
}

/**
 * Condition for jobs with a key in a range. One key must lie in it; otherwise the index would be read from
 * one bound to its end.
 */
function keysFrom(first: string, last: string): Filter<JobDocument>['lookup'] {
  return { $elemMatch: { $gte: first, $lte: last } };
}

/** Page of several sorted pages. */
function mergePages(
  pages: readonly KeysetPage<JobDocument>[],
  direction: 1 | -1,
  first: number,
): KeysetPage<JobDocument> {
  const [only] = pages;
  if (only && pages.length === 1) return only;
  const all = pages
    .flatMap(({ edges }) => edges)
    .sort((a, b) => (a.node._id < b.node._id ? -direction : a.node._id > b.node._id ? direction : 0));
  const edges = all.slice(0, first);
  const hasNextPage = all.length > first || pages.some((page) => page.hasNextPage);
  return {
    nodes: edges.map(({ node }) => node),
    edges,
    hasNextPage,
    totalCount: async () => {
      const counts = await Promise.all(pages.map((page) => page.totalCount()));
      const sum = counts.reduce<number>((total, count) => total + (count ?? Infinity), 0);
      return sum > largestCount ? null : sum;
    },
    pageInfo: {
      hasNextPage,
      hasPreviousPage: pages.some(({ pageInfo }) => pageInfo.hasPreviousPage),
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}
