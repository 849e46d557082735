/** Searches for live jobs that need a storage. */
import { type Collection, type Filter, MongoServerError } from 'mongodb';
import { jobIndex } from '../jobs/model/job.document.js';
import { liveStates } from '../jobs/model/job-state.js';
import type { JobDocument } from '../jobs/model/job.types.js';
import { locationOf } from '../storages/places.js';
import type { StorageDocument } from '../storages/storage.document.js';
import type { JobFilesRepository } from './job-files.repository.js';

/** Longest time of one search, in milliseconds. */
const longestMs = 5000;
/** Most jobs that are looked at. */
const mostJobs = 10_000;
/** Error code of a search that took too long. */
const maxTimeExpired = 50;

/** Finds live jobs that need a storage. */
export class StorageNeeds {
  readonly #jobs: Collection<JobDocument>;
  readonly #files: Pick<JobFilesRepository, 'openIn'>;

  constructor(jobs: Collection<JobDocument>, files: Pick<JobFilesRepository, 'openIn'>) {
    this.#jobs = jobs;
    this.#files = files;
  }

  /**
   * Id of a live job that reads from the storage, has files in it that are not registered yet, or whose
   * parent has outputs in it.
   * @param experiments those that use the storage
   * @returns null if there is none, undefined if the search took too long or there are too many jobs
   */
  async liveJobOf(
    storage: StorageDocument,
    experiments: readonly string[],
  ): Promise<string | null | undefined> {
    const live = { experiment: { $in: [...experiments] }, state: { $in: [...liveStates] } };
    try {
      return (
        (await this.#firstOf({ ...live, 'payload.inputs.location': { $regex: inputsOf(storage) } })) ??
        (await this.#writer(storage._id)) ??
        (await this.#child(live, storage._id))
      );
    } catch (error) {
      if (error instanceof MongoServerError && error.code === maxTimeExpired) return undefined;
      if (error instanceof TooManyJobs) return undefined;
      throw error;
    }
  }

  async #firstOf(filter: Filter<JobDocument>): Promise<string | null> {
    const found = await this.#jobs.findOne(filter, {
      projection: { _id: 1 },
      hint: jobIndex.experimentState,
      maxTimeMS: longestMs,
    });
    return found?._id ?? null;
  }

  async #writer(storage: string): Promise<string | null> {
    const ids = await this.#files.openIn(storage, mostJobs + 1);
    if (ids.length > mostJobs) throw new TooManyJobs();
    const found = await this.#jobs.findOne(
      { _id: { $in: [...ids] }, state: { $in: [...liveStates] } },
      { projection: { _id: 1 }, maxTimeMS: longestMs },
    );
    return found?._id ?? null;
  }

  async #child(live: Filter<JobDocument>, storage: string): Promise<string | null> {
    const children = await this.#jobs
      .find(
        { ...live, 'dependsOn.0': { $exists: true } },
        {
          projection: { dependsOn: 1 },
          hint: jobIndex.experimentState,
          limit: mostJobs + 1,
          maxTimeMS: longestMs,
        },
      )
      .toArray();
    if (children.length > mostJobs) throw new TooManyJobs();
    const parentIds = [...new Set(children.flatMap(({ dependsOn }) => dependsOn))];
    const parent = await this.#jobs.findOne(
      { _id: { $in: parentIds }, 'outputs.location': { $regex: beginning(locationOf(storage, '')) } },
      { projection: { _id: 1 }, maxTimeMS: longestMs },
    );
    return (parent && children.find(({ dependsOn }) => dependsOn.includes(parent._id))?._id) ?? null;
  }
}

class TooManyJobs extends Error {}

/** Locations of inputs in a storage. Addresses of XRootD may be written in several ways. */
function inputsOf({ _id, provider }: StorageDocument): string {
  return provider === 'XROOTD'
    ? `${beginning(locationOf(_id, ''))}|^[xX]?[rR][oO][oO][tT][sS]?://`
    : beginning(locationOf(_id, ''));
}

const beginning = (text: string): string => `^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`;
