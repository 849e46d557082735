/**
 * Reads of jobs by the scheduler: ready ones by window, held ones for the ledger, throttled ones to release.
 * It writes nothing.
 */
import type { Collection, Filter } from 'mongodb';
import type { Continuity } from '../../shared/continuity.js';
import type { FailedJob } from '../../policies/failure.types.js';
import { jobIndex } from '../../jobs/model/job.document.js';
import { heldStates, preemptedStates } from '../../jobs/model/job-state.js';
import type { JobDocument, StoredPreemption } from '../../jobs/model/job.types.js';
import type { ReadyJob } from '../scheduler.types.js';
import type { HeldForRequeue } from '../dispatch/requeue-grants.js';
import { readyJobOf } from './ready-job.js';
import type { ReadyKey, RefillRequest } from './ready-window.js';

const readyIndex = 'ready_idx';
const lastDevices = { $last: '$attempts.deviceIds' };
/** Fields of earlier attempts that decide about the next one. */
const decidingErrors = {
  'attempts.error.family': 1,
  'attempts.error.code': 1,
  'attempts.error.retryable': 1,
  'attempts.uncounted': 1,
  'attempts.preemption': 1,
} as const;
const heldFactsProjection = {
  state: 1,
  fence: 1,
  attempt: 1,
  workerId: 1,
  queueId: 1,
  share: 1,
  owner: 1,
  classId: 1,
  taskId: 1,
  priority: 1,
  'payload.outputs': 1,
  deviceIds: lastDevices,
  preemption: { $getField: { field: 'preemption', input: { $last: '$attempts' } } },
  continuity: { $getField: { field: 'continuity', input: { $last: '$attempts' } } },
} as const;

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

/** Facts of a held job that the ledger needs. */
export type HeldJobFacts = Pick<
  JobDocument,
  | '_id'
  | 'state'
  | 'fence'
  | 'attempt'
  | 'workerId'
  | 'queueId'
  | 'share'
  | 'owner'
  | 'classId'
  | 'taskId'
  | 'priority'
> & {
  readonly payload: { readonly outputs: readonly string[] };
  /** Of the latest attempt. */
  readonly deviceIds?: readonly string[];
  /** Of the latest attempt; absent for the defaults. */
  readonly continuity?: Continuity;
  /** Of the latest attempt. */
  readonly preemption?: StoredPreemption;
};

/** An attempt whose payload is prepared or runs. */
export interface RunningAttempt {
  readonly state: (typeof preemptedStates)[number];
  readonly fence: number;
  /** Start of the payload, or the grant before it. */
  readonly begunAt: Date;
}

/** Facts that decide whether a worker may continue an attempt. */
export type AdoptableJob = Pick<
  JobDocument,
  '_id' | 'state' | 'fence' | 'attempt' | 'attempts' | 'workerId' | 'queue' | 'gpu'
> & {
  readonly last: { readonly reason?: string };
};

/** A held job, with what decides about its secrets. */
export type JobWithSecrets = Pick<
  JobDocument,
  '_id' | 'share' | 'owner' | 'submittedBy' | 'experiment' | 'attempt' | 'createdAt'
> & {
  readonly payload: Pick<JobDocument['payload'], 'secrets' | 'token'>;
};

/** Fields of a job that the decision about its failed attempt needs. */
const failedFields = {
  attempt: 1,
  plannedEnds: 1,
  uncountedEnds: 1,
  retry: 1,
  experiment: 1,
  taskId: 1,
  labels: 1,
  requirements: 1,
  classId: 1,
  queue: 1,
  avoid: 1,
  'payload.notice': 1,
  'attempts.host': 1,
  'attempts.site': 1,
  ...decidingErrors,
  'attempts.decision.policyId': 1,
  'attempts.decision.rule': 1,
} as const;

/** Facts against which a worker's report of a job is checked. */
export type ReportedJob = Pick<JobDocument, 'state' | 'fence' | 'workerId' | 'share'> &
  FailedJob & {
    readonly payload: { readonly outputs: readonly string[] };
    readonly last: { readonly reason?: string };
  };

/** Facts needed to release a throttled job. */
export type ThrottledJobFacts = Pick<JobDocument, '_id' | 'owner' | 'classId'>;

/** Reads of the jobs collection for scheduling. */
export class SchedulerJobsRepository {
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

  /** All jobs that workers of these queues hold. */
  held(queueIds: readonly string[]): AsyncIterable<HeldJobFacts> {
    return this.#jobs
      .find({ queueId: { $in: [...queueIds] }, state: { $in: [...heldStates] } }, { batchSize: 2000 })
      .project<HeldJobFacts>(heldFactsProjection);
  }

  /** Facts of those of the jobs that a worker holds. */
  heldFacts(ids: readonly string[]): Promise<HeldJobFacts[]> {
    return this.#jobs
      .find({ _id: { $in: [...ids] }, state: { $in: [...heldStates] } })
      .project<HeldJobFacts>(heldFactsProjection)
      .toArray();
  }

  /** Facts that decide whether a worker may continue attempts, by job. */
  async adoptable(ids: readonly string[]): Promise<ReadonlyMap<string, AdoptableJob>> {
    const found = await this.#jobs
      .find({ _id: { $in: [...ids] } }, { readConcern: { level: 'majority' } })
      .project<AdoptableJob>({
        state: 1,
        fence: 1,
        attempt: 1,
        attempts: 1,
        workerId: 1,
        queue: 1,
        gpu: 1,
        'last.reason': 1,
      })
      .toArray();
    return new Map(found.map((job) => [job._id, job]));
  }

  /** Facts against which a worker's report of jobs is checked. */
  reported(ids: readonly string[]): Promise<ReportedJob[]> {
    return this.#jobs
      .find({ _id: { $in: [...ids] } })
      .project<ReportedJob>({
        ...failedFields,
        state: 1,
        fence: 1,
        workerId: 1,
        share: 1,
        'payload.outputs': 1,
        'last.reason': 1,
      })
      .toArray();
  }

  /** A job that a worker holds by a fence, as stored now, with its secrets; null if it does not hold it. */
  heldWithSecrets(id: string, workerId: string, fence: number): Promise<JobWithSecrets | null> {
    return this.#jobs.findOne<JobWithSecrets>(
      { _id: id, workerId, fence, state: { $in: [...heldStates] } },
      {
        projection: {
          share: 1,
          owner: 1,
          submittedBy: 1,
          experiment: 1,
          attempt: 1,
          createdAt: 1,
          'payload.secrets': 1,
          'payload.token': 1,
        },
      },
    );
  }

  /** The latest attempts of those of the jobs whose payloads are prepared or run, by job. */
  async runningAttempts(ids: readonly string[]): Promise<ReadonlyMap<string, RunningAttempt>> {
    const found = await this.#jobs
      .find(
        { _id: { $in: [...ids] }, state: { $in: [...preemptedStates] } },
        { readConcern: { level: 'majority' } },
      )
      .project<RunningAttempt & { readonly _id: string }>({
        state: 1,
        fence: 1,
        begunAt: {
          $let: {
            vars: { attempt: { $last: '$attempts' } },
            in: { $ifNull: ['$$attempt.startedAt', '$$attempt.sentAt'] },
          },
        },
      })
      .toArray();
    return new Map(found.map(({ _id, ...attempt }) => [_id, attempt]));
  }

  /** Devices that these jobs hold, each with its job. */
  async devicesOf(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = await this.#jobs
      .find({ _id: { $in: [...ids] }, state: { $in: [...heldStates] } })
      .project<Pick<HeldJobFacts, '_id' | 'deviceIds'>>({ deviceIds: lastDevices })
      .toArray();
    return new Map(
      found.flatMap(({ _id, deviceIds }) => (deviceIds ?? []).map((device) => [device, _id] as const)),
    );
  }

  /** Devices that these jobs hold, by worker. */
  async bookedDevices(ids: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const found = this.#jobs
      .find({ _id: { $in: [...ids] }, state: { $in: [...heldStates] } })
      .project<Pick<HeldJobFacts, '_id' | 'workerId' | 'deviceIds'>>({ workerId: 1, deviceIds: lastDevices });
    const booked = new Map<string, Set<string>>();
    for await (const { workerId, deviceIds } of found) {
      if (!workerId || !deviceIds) continue;
      const own = booked.get(workerId) ?? new Set<string>();
      deviceIds.forEach((device) => own.add(device));
      booked.set(workerId, own);
    }
    return booked;
  }

  /** The jobs with these ids that a worker holds. */
  heldByIds(ids: readonly string[]): Promise<HeldForRequeue[]> {
    return this.#jobs
      .find({ _id: { $in: [...ids] }, state: { $in: [...heldStates] } })
      .project<HeldForRequeue>({
        ...failedFields,
        state: 1,
        fence: 1,
        workerId: 1,
      })
      .toArray();
  }

  /** Throttled jobs of a share after an id, oldest first. */
  throttled(experiment: string, share: string, after: string, limit: number): Promise<ThrottledJobFacts[]> {
    return this.#jobs
      .find({ experiment, state: 'THROTTLED', _id: { $gt: after }, share }, { hint: 'experiment_state_idx' })
      .project<ThrottledJobFacts>({ owner: 1, classId: 1 })
      .sort({ _id: 1 })
      .limit(limit)
      .toArray();
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
