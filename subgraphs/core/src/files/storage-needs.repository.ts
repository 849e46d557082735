/** Searches for live jobs that need a storage. */
import { isOverTime } from '@rhizome/mongo';
import type { Collection, Filter } from 'mongodb';
import { jobIndex } from '../jobs/model/job.document.js';
import { liveStates } from '../jobs/model/job-state.js';
import type { JobDocument } from '../jobs/model/job.types.js';
import { locationOf } from '../storages/places.js';
import type { StorageDocument } from '../storages/storage.document.js';
import type { JobFilesRepository } from './job-files.repository.js';
import type { UploadsRepository } from './uploads/uploads.repository.js';

/** Longest time of one query, in milliseconds. */
const longestMs = 5000;
/** Longest time of a whole search, in milliseconds: about a million jobs. */
const longestSearchMs = 30_000;
/** Jobs that one query looks at. */
const partLength = 1000;

/** Finds live jobs that need a storage. */
export class StorageNeeds {
  readonly #jobs: Collection<JobDocument>;
  readonly #files: Pick<JobFilesRepository, 'openIn'>;
  readonly #uploads: Pick<UploadsRepository, 'idsIn'>;

  constructor(
    jobs: Collection<JobDocument>,
    files: Pick<JobFilesRepository, 'openIn'>,
    uploads: Pick<UploadsRepository, 'idsIn'>,
  ) {
    this.#jobs = jobs;
    this.#files = files;
    this.#uploads = uploads;
  }

  /**
   * Id of a live job that reads from the storage, has an upload or files in it that are not registered yet,
   * or whose parent has outputs in it.
   * @param experiments those that use the storage
   * @param kept experiments whose jobs are left out
   * @returns null if there is none, undefined if the search took too long
   */
  async liveJobOf(
    storage: StorageDocument,
    experiments: readonly string[],
    kept: readonly string[],
  ): Promise<string | null | undefined> {
    const signal = AbortSignal.timeout(longestSearchMs);
    const users = experiments.filter((name) => !kept.includes(name));
    const live = { experiment: { $in: users }, state: { $in: [...liveStates] } };
    try {
      return (
        (await this.#firstOf({
          ...live,
          $or: [
            { 'payload.inputs.location': { $regex: inputsOf(storage) } },
            { 'payload.inputs.otherLocations': { $regex: inputsOf(storage) } },
          ],
        })) ??
        (await this.#userOfUploads(live, storage._id, signal)) ??
        (await this.#writer(storage._id, kept, signal)) ??
        (await this.#child(live, storage._id, signal))
      );
    } catch (error) {
      if (isOverTime(error) || signal.aborted) return undefined;
      throw error;
    }
  }

  async #firstOf(
    filter: Filter<JobDocument>,
    hint: string = jobIndex.experimentState,
  ): Promise<string | null> {
    const found = await this.#jobs.findOne(filter, {
      projection: { _id: 1 },
      hint,
      maxTimeMS: longestMs,
    });
    return found?._id ?? null;
  }

  async #userOfUploads(
    live: Filter<JobDocument>,
    storage: string,
    signal: AbortSignal,
  ): Promise<string | null> {
    for await (const ids of inParts(this.#uploads.idsIn(storage, signal))) {
      const users = { ...live, 'payload.uploadId': { $in: [...ids] } };
      const found = await this.#firstOf(users, jobIndex.upload);
      if (found !== null) return found;
    }
    return null;
  }

  /** Also of an experiment that uses the storage no longer: its files are still there. */
  async #writer(storage: string, kept: readonly string[], signal: AbortSignal): Promise<string | null> {
    const live = { experiment: { $nin: [...kept] }, state: { $in: [...liveStates] } };
    for await (const ids of inParts(this.#files.openIn(storage, signal))) {
      const found = await this.#jobs.findOne(
        { ...live, _id: { $in: [...ids] } },
        { projection: { _id: 1 }, maxTimeMS: longestMs },
      );
      if (found) return found._id;
    }
    return null;
  }

  async #child(live: Filter<JobDocument>, storage: string, signal: AbortSignal): Promise<string | null> {
    const children = this.#jobs.find(
      { ...live, 'dependsOn.0': { $exists: true } },
      { projection: { dependsOn: 1 }, hint: jobIndex.experimentState, signal },
    );
    for await (const part of inParts(children)) {
      const parentIds = [...new Set(part.flatMap(({ dependsOn }) => dependsOn))];
      const parent = await this.#jobs.findOne(
        { _id: { $in: parentIds }, 'outputs.location': { $regex: beginning(locationOf(storage, '')) } },
        { projection: { _id: 1 }, maxTimeMS: longestMs },
      );
      const child = parent && part.find(({ dependsOn }) => dependsOn.includes(parent._id));
      if (child) return child._id;
    }
    return null;
  }
}

/** Entries in parts of limited length. */
async function* inParts<T>(entries: AsyncIterable<T>): AsyncGenerator<readonly T[]> {
  let part: T[] = [];
  for await (const entry of entries) {
    part.push(entry);
    if (part.length < partLength) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}

/** Locations of inputs in a storage. Addresses of XRootD may be written in several ways. */
function inputsOf({ _id, provider }: StorageDocument): string {
  return provider === 'XROOTD'
    ? `${beginning(locationOf(_id, ''))}|^[xX]?[rR][oO][oO][tT][sS]?://`
    : beginning(locationOf(_id, ''));
}

const beginning = (text: string): string => `^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`;
