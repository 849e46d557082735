/** Reads of ready jobs by the scheduler: by kind for windows, by task and by id. It writes nothing. */
import type { Collection, Filter } from 'mongodb';
import { jobIndex } from '../../jobs/model/job.document.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { ReadyJob } from '../scheduler.types.js';
import { readyJobOf } from './ready-job.js';
import type { ReadyKey, RefillRequest } from './ready-window.js';

const readyIndex = 'ready_idx';

/** A kind of ready jobs, held by one window. */
export interface ReadyKind {
  readonly classId: string;
  readonly share: string;
}

const readyProjection = {
  priority: 1,
  owner: 1,
  attempt: 1,
  taskId: 1,
  avoid: 1,
  generation: 1,
  'payload.outputs': 1,
} as const;

type StoredReadyJob = Pick<
  JobDocument,
  '_id' | 'priority' | 'owner' | 'attempt' | 'taskId' | 'avoid' | 'generation'
> & {
  readonly payload: { readonly outputs: readonly string[] };
};

/** A ready job with its kind. */
export interface ReadyJobOfKind {
  readonly kind: ReadyKind;
  readonly job: ReadyJob;
}

/** Reads ready jobs from the jobs collection. */
export class ReadyJobsRepository {
  readonly #jobs: Collection<JobDocument>;

  constructor(jobs: Collection<JobDocument>) {
    this.#jobs = jobs;
  }

  /**
   * The next ready jobs of a kind, by priority and age, without those of suspended tasks.
   * @param lastJobOf highest job id of a suspended task; undefined for other tasks
   */
  async ready(
    kind: ReadyKind,
    { after, limit }: RefillRequest,
    lastJobOf: (taskId: string) => string | undefined = () => undefined,
  ): Promise<ReadyJob[]> {
    const found: ReadyJob[] = [];
    let position = after;
    while (found.length < limit) {
      const most = limit - found.length;
      const page = await this.#readyPage(kind, { after: position, limit: most });
      found.push(...page.filter(({ taskId }) => taskId === undefined || lastJobOf(taskId) === undefined));
      const last = page.at(-1);
      if (!last || page.length < most) break;
      // The ids of a task's jobs are one range: it is skipped instead of read.
      const lastOfTask = last.taskId === undefined ? undefined : lastJobOf(last.taskId);
      const id = lastOfTask !== undefined && lastOfTask > last.id ? lastOfTask : last.id;
      position = { priority: last.priority, id };
    }
    return found;
  }

  async #readyPage({ classId, share }: ReadyKind, { after, limit }: RefillRequest): Promise<ReadyJob[]> {
    const found: ReadyJob[] = [];
    for (const filter of behind(after)) {
      const cursor = this.#jobs
        .find({ state: 'ACTIVATED', classId, share, ...filter }, { hint: readyIndex, batchSize: limit + 1 })
        .project<StoredReadyJob>(readyProjection)
        .sort({ priority: -1, _id: 1 })
        .limit(limit - found.length);
      for (const job of await cursor.toArray()) found.push(storedReadyJob(job));
      if (found.length >= limit) break;
    }
    return found;
  }

  /** Number and smallest id of the ready jobs of a kind, read up to a limit in the order of the index. */
  async count(
    { classId, share }: ReadyKind,
    limit: number,
  ): Promise<{ readonly jobs: number; readonly oldestId: string | undefined }> {
    const [found] = await this.#jobs
      .aggregate<{ readonly jobs: number; readonly oldestId: string }>(
        [
          { $match: { state: 'ACTIVATED', classId, share } },
          { $sort: { priority: -1, _id: 1 } },
          { $limit: limit },
          { $group: { _id: null, jobs: { $sum: 1 }, oldestId: { $min: '$_id' } } },
        ],
        { hint: readyIndex },
      )
      .toArray();
    return { jobs: found?.jobs ?? 0, oldestId: found?.oldestId };
  }

  /** Ready jobs among these, as stored now. */
  readyByIds(ids: readonly string[]): Promise<readonly ReadyJobOfKind[]> {
    return this.#readyOfKinds({ _id: { $in: [...ids] }, state: 'ACTIVATED' }, '_id_', ids.length);
  }

  /** The first ready jobs of a task, by their ids. @param without kinds whose jobs are left out */
  readyOfTask(
    taskId: string,
    limit: number,
    without: readonly ReadyKind[] = [],
  ): Promise<readonly ReadyJobOfKind[]> {
    const others = without.length === 0 ? {} : { $nor: [...without] };
    return this.#readyOfKinds({ taskId, state: 'ACTIVATED', ...others }, jobIndex.task, limit);
  }

  async #readyOfKinds(
    filter: Filter<JobDocument>,
    hint: string,
    limit: number,
  ): Promise<readonly ReadyJobOfKind[]> {
    const found = await this.#jobs
      .find(filter, { hint, readConcern: { level: 'majority' } })
      .sort({ _id: 1 })
      .limit(limit)
      .project<StoredReadyJob & ReadyKind>({ ...readyProjection, classId: 1, share: 1 })
      .toArray();
    return found.map(({ classId, share, ...job }) => ({
      kind: { classId, share },
      job: storedReadyJob(job),
    }));
  }

  /**
   * All kinds with ready jobs, found by skipping through the index from kind to kind without reading the
   * jobs.
   */
  async *readyKinds(signal?: AbortSignal): AsyncGenerator<ReadyKind> {
    let last: ReadyKind | undefined;
    while (!signal?.aborted) {
      const next: ReadyKind | undefined =
        (last && (await this.#firstKind({ classId: last.classId, share: { $gt: last.share } }))) ??
        (await this.#firstKind(last ? { classId: { $gt: last.classId } } : {}));
      if (!next) return;
      yield next;
      last = next;
    }
  }

  async #firstKind(filter: Filter<JobDocument>): Promise<ReadyKind | undefined> {
    const [found] = await this.#jobs
      .find({ state: 'ACTIVATED', ...filter }, { hint: readyIndex })
      .project<ReadyKind>({ _id: 0, classId: 1, share: 1 })
      .sort({ classId: 1, share: 1, priority: -1, _id: 1 })
      .limit(1)
      .toArray();
    return found;
  }
}

/** Most jobs have no outputs: recording this here saves a read when their end is reported. */
function storedReadyJob(stored: StoredReadyJob): ReadyJob {
  const job = readyJobOf(stored._id, stored);
  return stored.payload.outputs.length === 0 ? { ...job, hasNoOutputs: true } : job;
}

/** Two plain ranges instead of one `$or`: each is one scan of the index in its order. */
function behind(after: ReadyKey | undefined): readonly Filter<JobDocument>[] {
  if (!after) return [{}];
  return [{ priority: after.priority, _id: { $gt: after.id } }, { priority: { $lt: after.priority } }];
}
