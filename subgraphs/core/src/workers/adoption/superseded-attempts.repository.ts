/** Records on attempts of jobs how long their payloads ran without use. Changes no state of a job. */
import { collection } from '@rhizome/mongo';
import type { AnyBulkWriteOperation, ClientSession, Collection, Db } from 'mongodb';
import { jobsCollection } from '../../jobs/model/job.document.js';
import {
  type JobDocument,
  type StoredAttempt,
  type StoredFailure,
  supersededCode,
} from '../../jobs/model/job.types.js';
import { type LostTimeDocument, lostTimesCollection } from './lost-time.document.js';

/** An attempt that another one has replaced when its worker returned. */
export interface SupersededAttempt {
  readonly jobId: string;
  readonly fence: number;
  readonly lostSeconds: number;
}

type Job = Pick<JobDocument, '_id' | 'experiment' | 'taskId' | 'attempts'> & {
  readonly payload: Pick<JobDocument['payload'], 'image'>;
  readonly requirements: Pick<JobDocument['requirements'], 'cores'>;
};

interface Found extends SupersededAttempt {
  readonly job: Job;
  readonly attempt: StoredAttempt;
}

const majority = { readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } } as const;

/** Writes to superseded attempts. */
export class SupersededAttemptsRepository {
  readonly #db: Db;
  readonly #jobs: Collection<JobDocument>;
  readonly #lostTimes: Collection<LostTimeDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#jobs = collection(db, jobsCollection);
    this.#lostTimes = collection(db, lostTimesCollection);
  }

  /**
   * Records the time of attempts that another one has replaced, once each: the mark on the attempt and the
   * time to be counted are written in one transaction.
   */
  async record(attempts: readonly SupersededAttempt[], now: Date): Promise<void> {
    if (attempts.length === 0) return;
    // A worker may name a job twice.
    const distinct = new Map(attempts.map((one) => [idOf(one), one]));
    await this.#db.client.withSession((session) =>
      session.withTransaction(async () => {
        const found = await this.#unrecorded([...distinct.values()], session);
        if (found.length === 0) return;
        await this.#jobs.bulkWrite(found.map(markOf), { session });
        await this.#lostTimes.insertMany(
          found.map((one) => lostTimeOf(one, now)),
          { session },
        );
      }, majority),
    );
  }

  /** Returns those of the attempts that may still return. */
  async #unrecorded(
    attempts: readonly SupersededAttempt[],
    session: ClientSession,
  ): Promise<readonly Found[]> {
    const jobs = await this.#jobs
      .find({ _id: { $in: attempts.map(({ jobId }) => jobId) } }, { session })
      .project<Job>({ experiment: 1, taskId: 1, attempts: 1, 'payload.image': 1, 'requirements.cores': 1 })
      .toArray();
    const byId = new Map(jobs.map((job) => [job._id, job]));
    return attempts.flatMap((one) => {
      const job = byId.get(one.jobId);
      const attempt = job?.attempts.find(({ fence, unreachable }) => unreachable && fence === one.fence);
      return job && attempt ? [{ ...one, job, attempt }] : [];
    });
  }
}

function idOf({ jobId, fence }: Pick<SupersededAttempt, 'jobId' | 'fence'>): string {
  return `${jobId} ${fence}`;
}

function markOf({ jobId, fence, lostSeconds }: Found): AnyBulkWriteOperation<JobDocument> {
  return {
    updateOne: {
      filter: { _id: jobId, 'attempts.fence': fence },
      update: {
        $set: { 'attempts.$.lostSeconds': lostSeconds },
        $unset: { 'attempts.$.unreachable': '' },
      },
    },
  };
}

function lostTimeOf({ job, attempt }: Found, now: Date): LostTimeDocument {
  const { _id: jobId, experiment, taskId } = job;
  return {
    _id: idOf({ jobId, fence: attempt.fence }),
    schemaVersion: 1,
    createdAt: now,
    jobId,
    experiment,
    ...(taskId === undefined ? {} : { taskId }),
    failure: failureOf(job, attempt, now),
  };
}

/** The time until the attempt was given up counts as the failure with which it ended. */
function failureOf(
  { payload: { image }, requirements: { cores } }: Job,
  { host, site, unreachable, endedAt }: StoredAttempt,
  now: Date,
): StoredFailure {
  return {
    code: supersededCode,
    ...(unreachable ? { queue: unreachable.queue } : {}),
    ...(host === undefined ? {} : { host }),
    ...(site === undefined ? {} : { site }),
    ...(image === undefined ? {} : { image }),
    cores,
    ...(unreachable?.gpu ? { gpus: unreachable.gpu.count } : {}),
    seconds: Math.max(0, (now.getTime() - (endedAt ?? now).getTime()) / 1000),
    at: now,
  };
}
