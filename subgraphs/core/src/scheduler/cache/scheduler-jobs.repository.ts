/** Reads of jobs by the scheduler: held ones for the ledger, throttled ones to release. It writes nothing. */
import type { Collection } from 'mongodb';
import type { Continuity } from '../../shared/continuity.js';
import type { FailedJob } from '../../policies/failure.types.js';
import { heldStates, preemptedStates } from '../../jobs/model/job-state.js';
import type { JobDocument, StoredPayload, StoredPreemption } from '../../jobs/model/job.types.js';
import type { HeldForRequeue } from '../dispatch/requeue-grants.js';

const lastDevices = { $last: '$attempts.deviceIds' };
/** A field of the latest attempt. */
const ofLatest = (field: string) => ({ $getField: { field, input: { $last: '$attempts' } } });
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
  preemption: ofLatest('preemption'),
  continuity: ofLatest('continuity'),
} as const;

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
  owner: 1,
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
    readonly payload: Pick<StoredPayload, 'outputs' | 'keepOnFailure'>;
    readonly last: { readonly reason?: string };
  };

/** Facts needed to release a throttled job. */
export type ThrottledJobFacts = Pick<JobDocument, '_id' | 'owner' | 'classId'>;

/** Reads of held and throttled jobs for scheduling; `ReadyJobsRepository` reads the ready ones. */
export class SchedulerJobsRepository {
  readonly #jobs: Collection<JobDocument>;
  constructor(jobs: Collection<JobDocument>) {
    this.#jobs = jobs;
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
        'payload.keepOnFailure': 1,
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
}
