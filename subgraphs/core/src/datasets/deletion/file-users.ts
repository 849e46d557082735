/**
 * Finds who needs files that are to be deleted: other files with the same copy, live jobs that read it, or
 * whose parent wrote it, and tasks, fleets and workflows whose jobs do not exist yet.
 */
import { isOverTime } from '@rhizome/mongo';
import { jobOfKey, type Place, type PlaceOwner } from '../../storages/places.js';
import type { ReplicaState } from '../dataset-file.document.js';
import type { FileAt } from '../dataset-files.repository.js';
import { isBeingDeleted } from '../replicas.js';
import { templateMatcher } from './template-matcher.js';

/** A copy whose users are searched. */
export interface SoughtCopy {
  readonly datasetId: string;
  /** Owner of the dataset. */
  readonly owner: PlaceOwner;
  /** Id of the file. */
  readonly fileId: string;
  readonly location: string;
  readonly place: Place;
}

/** Inputs of jobs that a task or a fleet has yet to create. */
export interface WaitingInputs {
  /** Text for people, such as `task task_…`. */
  readonly user: string;
  /** Places of inputs; they may contain `{{name}}`. */
  readonly locations: readonly string[];
  /** Sought jobs that will be parents of the jobs. */
  readonly parents: readonly string[];
}

/** Where users are searched. */
export interface FileUseSources {
  readonly filesAt: (locations: readonly string[]) => Promise<readonly FileAt[]>;
  /**
   * Live jobs of experiments that read one of the locations, or have one of the parents, by location and by
   * id of the parent.
   */
  readonly liveJobs: (
    experiments: readonly string[],
    locations: readonly string[],
    parents: readonly string[],
  ) => Promise<ReadonlyMap<string, string>>;
  /** Workflow that has not ended, by the id of a job of it. */
  readonly liveWorkflows: (jobIds: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  /** Workflow that has not ended, by a location that a node without a job reads. */
  readonly waitingNodes: (locations: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  /** Id of a task that will read files of the dataset; undefined if there is none. */
  readonly readingTask: (datasetId: string) => Promise<string | undefined>;
  /** Tasks and fleets of experiments that have yet to create jobs with inputs. */
  readonly waiting: (
    experiments: readonly string[],
    parents: readonly string[],
  ) => AsyncIterable<WaitingInputs>;
  /** Names of all experiments. */
  readonly experiments: () => Promise<readonly string[]>;
}

/** Form of the ids of jobs: the owner of a place may have put any other text there. */
const jobId = /^job_\w{1,40}$/;
/** States of copies whose object may go. */
const claimsNothing: ReadonlySet<ReplicaState> = new Set(['DELETED', 'LOST']);

/** Finds users of files. */
export class FileUsers {
  readonly #sources: FileUseSources;

  constructor(sources: FileUseSources) {
    this.#sources = sources;
  }

  /**
   * Users of copies of one experiment, as text by location; those without users are absent.
   * @returns undefined if the search took too long
   */
  async of(copies: readonly SoughtCopy[]): Promise<ReadonlyMap<string, string> | undefined> {
    if (copies.length === 0) return new Map();
    try {
      return await this.#search(copies);
    } catch (error) {
      if (isOverTime(error)) return undefined;
      throw error;
    }
  }

  async #search(copies: readonly SoughtCopy[]): Promise<ReadonlyMap<string, string>> {
    const { filesAt, liveJobs, liveWorkflows, waitingNodes, readingTask, waiting } = this.#sources;
    const users = new Map<string, string>();
    const locations = [...new Set(copies.map(({ location }) => location))];
    const reading = new Map<string, string>();
    for (const datasetId of new Set(copies.map((copy) => copy.datasetId))) {
      const task = await readingTask(datasetId);
      if (task !== undefined) reading.set(datasetId, `task ${task} reads the dataset`);
    }
    const experiments = await this.#readersOf(copies);
    const writers = new Map(
      copies.map(({ owner, location, place: { key } }) => {
        const writer = jobOfKey(owner, key);
        return [location, writer !== undefined && jobId.test(writer) ? writer : undefined];
      }),
    );
    const parents = [...new Set([...writers.values()].flatMap((id) => id ?? []))];
    const children = new Map<string, string>();
    for await (const { user, locations: patterns, parents: named } of waiting(experiments, parents)) {
      const isNamed = templateMatcher(patterns);
      for (const location of locations) if (isNamed(location)) users.set(location, `${user} reads it`);
      for (const parent of named) children.set(parent, user);
    }
    for (const [location, id] of await waitingNodes(locations))
      users.set(location, `workflow ${id} reads it`);
    const sought = new Set(copies.map(({ fileId, location }) => `${fileId} ${location}`));
    const isSought = (fileId: string, location: string): boolean => sought.has(`${fileId} ${location}`);
    for (const file of await filesAt(locations))
      for (const { fileId, location } of copies) {
        if (fileId === file._id || isSought(file._id, location)) continue;
        const other = file.replicas.find((replica) => replica.location === location);
        if (!other || isBeingDeleted(other) || claimsNothing.has(other.state)) continue;
        users.set(location, `it is file ${file.name} of dataset ${file.datasetId}, too`);
      }
    const workflows = await liveWorkflows(parents);
    // Last: jobs that the others create meanwhile exist by now.
    const jobs = await liveJobs(experiments, locations, parents);
    for (const { datasetId, location } of copies) {
      const writer = writers.get(location) ?? '';
      const workflow = workflows.get(writer);
      const job = jobs.get(location) ?? jobs.get(writer);
      const task = reading.get(datasetId);
      const child = children.get(writer);
      if (task !== undefined) users.set(location, task);
      if (child !== undefined) users.set(location, `jobs of ${child} read it`);
      if (workflow !== undefined) users.set(location, `workflow ${workflow} has not ended`);
      if (job !== undefined)
        users.set(location, job === writer ? `job ${job} has not ended` : `job ${job} reads it`);
    }
    return users;
  }

  /** Experiments whose jobs may read the copies. */
  async #readersOf(copies: readonly SoughtCopy[]): Promise<readonly string[]> {
    const shared = copies.filter(({ place: { storage, key } }) =>
      storage.sharedPrefixes.some((prefix) => key.startsWith(prefix)),
    );
    const own = copies.map(({ owner }) => owner.experiment);
    const named = shared.flatMap(({ place: { storage } }) => storage.experiments);
    const isOpen = shared.some(({ place: { storage } }) => storage.experiments.length === 0);
    return [...new Set([...own, ...named, ...(isOpen ? await this.#sources.experiments() : [])])];
  }
}
