import { DomainError } from '@rhizome/errors';
import { MongoNetworkError, MongoServerSelectionError, type Collection, type Document } from 'mongodb';
import type { JobDocument } from '../model/job.types.js';
import { groupFilter, groupPipeline } from './transition-group.js';
import type { TransitionGroup } from './transition-group.types.js';

/** State of a job that is read after only a part of a group was applied. */
export type TransitionMark = Pick<
  JobDocument,
  '_id' | 'state' | 'fence' | 'revision' | 'workerId' | 'transitions' | 'attempts'
>;

/** Part of the store that the transition writer needs. */
export interface TransitionStore {
  /**
   * Writes a group. Resolves when the write is acknowledged by the majority.
   * @returns the number of changed documents; null if the connection broke and the result is unknown
   */
  write(group: TransitionGroup): Promise<number | null>;
  /** Reads jobs with majority read concern. @throws DomainError SERVICE_UNAVAILABLE */
  read(ids: readonly string[]): Promise<ReadonlyMap<string, TransitionMark>>;
}

/**
 * Number of newest history entries that are read to check whether a request was carried out; few transitions
 * lie in between.
 */
const readBack = 16;

/** MongoDB's code for a missing privilege. */
const unauthorized = 13;

/** Store of the transition writer on the collection of jobs. */
export function transitionStore(jobs: Collection<JobDocument>): TransitionStore {
  // The pipeline of a group is built only here and keeps the stored form valid; validating it again costs the
  // server more than the update itself. The privilege to bypass validation may be missing: then the server
  // validates.
  let mayBypass = true;
  const update = async (group: TransitionGroup, bypassDocumentValidation: boolean): Promise<number> => {
    const options = { writeConcern: { w: 'majority' as const }, bypassDocumentValidation };
    const { modifiedCount } = await jobs.updateMany(
      groupFilter(group),
      groupPipeline(group) as Document[],
      options,
    );
    return modifiedCount;
  };
  return {
    async write(group) {
      try {
        const bypasses = mayBypass;
        return await update(group, bypasses).catch((error: unknown) => {
          if (!bypasses || (error as { code?: unknown } | null)?.code !== unauthorized) throw error;
          mayBypass = false;
          return update(group, false);
        });
      } catch (error) {
        if (isConnectionError(error)) return null;
        throw error;
      }
    },
    async read(ids) {
      try {
        const found = await jobs
          .find(
            { _id: { $in: [...ids] } },
            { readConcern: { level: 'majority' }, projection: markProjection },
          )
          .toArray();
        return new Map(found.map((job) => [job._id, job as TransitionMark]));
      } catch (error) {
        if (!isConnectionError(error)) throw error;
        throw new DomainError(
          'SERVICE_UNAVAILABLE',
          'The database cannot be reached',
          { service: 'database' },
          { cause: error },
        );
      }
    },
  };
}

const markProjection = {
  state: 1,
  fence: 1,
  revision: 1,
  workerId: 1,
  transitions: { $slice: -readBack },
  'attempts.fence': 1,
};

/** Errors after which a write may or may not have succeeded. */
function isConnectionError(error: unknown): boolean {
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  const labels = (error as { hasErrorLabel?: (label: string) => boolean } | null)?.hasErrorLabel;
  return typeof labels === 'function' && labels.call(error, 'RetryableWriteError');
}
