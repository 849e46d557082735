/** Files of a dataset for the jobs of a task: their division at the submission, and the inputs of jobs. */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { maySeeDataset } from '../../datasets/dataset-access.js';
import type { DatasetFileDocument } from '../../datasets/dataset-file.document.js';
import type { DatasetFilesRepository, ListedFile } from '../../datasets/dataset-files.repository.js';
import type { DatasetDocument } from '../../datasets/dataset.document.js';
import type { DatasetsRepository } from '../../datasets/datasets.repository.js';
import { isAvailable } from '../../datasets/replicas.js';
import type { StoredInput, StoredPayload } from '../../jobs/model/job.types.js';
import type { JobInputErrors } from '../../jobs/submit/job-input-error.types.js';
import { isInStorage, type PlaceOwner, problemOfInput, type StorageFacts } from '../../storages/places.js';
import type { StorageDocument } from '../../storages/storage.document.js';
import type { StoredParameterSet, TaskDocument } from '../task.document.js';
import { datasetInputs } from './dataset-inputs.js';
import { fileRanges, type SplitRule } from './file-ranges.js';
import { nearSites } from './locality.js';
import type { AwaitedFiles, FileRange, TaskDatasetSpec } from './task-dataset.types.js';

/** Dependencies of {@link TaskFiles}. */
export interface TaskFilesOptions {
  readonly datasets: Pick<DatasetsRepository, 'find' | 'used'>;
  readonly files: Pick<DatasetFilesRepository, 'listed' | 'between'>;
  /** Storages that an experiment uses, as stored now. */
  readonly storages: (experiment: string) => Promise<readonly SitedStorage[]>;
  readonly clock: Clock;
}

/** A storage, and the site that is near to it. */
export type SitedStorage = StorageFacts & Pick<StorageDocument, 'site'>;

/** Jobs of a task that processes a dataset. */
export interface DatasetPlan {
  /** Files that were in the dataset: later ones are left out. */
  readonly end: number;
  readonly jobs: number;
  readonly files: number;
}

/** Files of one job, as inputs and parameters. */
export interface JobFiles {
  /** Under the names of the files. */
  readonly inputs: StoredPayload['inputs'];
  readonly parameters: Readonly<Record<string, string>>;
  /** Sites with the most bytes; none if locality does not count, or sites are unknown. */
  readonly sites: readonly string[];
}

/** Files of consecutive jobs. */
export interface FilesOfJobs {
  /** Files of each job; undefined for one that is awaited. */
  readonly jobs: readonly (JobFiles | undefined)[];
  /** Jobs whose files are not available, in order. */
  readonly awaited: readonly AwaitedFiles[];
  /** True if files are no longer recorded: their dataset was removed. */
  readonly areGone?: true;
}

/** Most jobs of a task. */
export const mostJobs = 1_000_000;
/** Most files of a task: they are read at its submission. */
const mostFiles = 1_000_000;
/** Most inputs of a job. */
export const mostInputs = 1000;
/** Most files of jobs that are created together: their inputs are in memory. */
export const filesAtOnce = 5000;
/** Most jobs that are created together: with KEY, each is read alone. */
const jobsAtOnce = 500;
/** Most files that errors name. */
const mostNamed = 10;
const path = ['jobs', 'dataset'] as const;
/** Parameters that the files of a job give. */
export const fileParameters: readonly string[] = ['key', 'fileCount', 'eventCount'];

/** Divides datasets, and reads the files of jobs. */
export class TaskFiles {
  readonly #options: TaskFilesOptions;

  constructor(options: TaskFilesOptions) {
    this.#options = options;
  }

  /**
   * Counts the jobs for a dataset, and checks that they may read its files. The dataset is closed, so its
   * files stay the same. @param ownInputs number of inputs of the template
   */
  async plan(
    spec: TaskDatasetSpec,
    caller: PlaceOwner & { readonly principal: Principal; readonly ownInputs: number },
    errors: JobInputErrors,
  ): Promise<DatasetPlan | undefined> {
    const dataset = await this.#options.datasets.find(spec.datasetId);
    const expected = expectedDataset(dataset, caller);
    if (!dataset || expected !== undefined) {
      errors.add([...path, 'datasetId'], spec.datasetId, expected ?? 'a dataset that you may read');
      return undefined;
    }
    await this.#options.datasets.used(dataset._id, this.#options.clock.now());
    const storages = await this.#options.storages(caller.experiment);
    const rule = ruleOf(spec, caller.ownInputs);
    const readable = new ReadableFiles(caller, storages, rule.by, errors);
    let jobs = 0;
    let files = 0;
    const end = dataset.totals.files;
    const listed = readable.checked(
      this.#options.files.listed(dataset._id, { byKey: rule.by === 'KEY', end }),
    );
    for await (const range of fileRanges(listed, rule)) {
      jobs += 1;
      files += range.files;
      if (jobs >= (spec.maxJobs ?? mostJobs + 1)) break;
      if (jobs > mostJobs || files > mostFiles) break;
      if (readable.isRefused) return undefined;
    }
    if (readable.isRefused) return undefined;
    if (files > mostFiles)
      errors.add(
        [...path, 'datasetId'],
        spec.datasetId,
        `a dataset, or \`maxJobs\` jobs, of at most ${mostFiles} files`,
      );
    if (jobs > mostJobs)
      errors.add([...path, 'perJob'], spec.perJob ?? null, `so large that at most ${mostJobs} jobs result`);
    if ((spec.maxJobs == null || jobs === 0) && files < dataset.totals.files && errors.isEmpty)
      errors.add(
        [...path, 'by'],
        'KEY',
        `another division: only ${files} of ${dataset.totals.files} files have a key`,
      );
    return errors.isEmpty ? { jobs, files, end } : undefined;
  }

  /** Parameter sets of the jobs, each with its range of files. */
  async *sets(
    spec: TaskDatasetSpec,
    ownInputs: number,
    { end }: Pick<DatasetPlan, 'end'>,
  ): AsyncGenerator<StoredParameterSet> {
    const rule = ruleOf(spec, ownInputs);
    let jobs = 0;
    const listed = this.#options.files.listed(spec.datasetId, { byKey: rule.by === 'KEY', end });
    for await (const files of fileRanges(listed, rule)) {
      yield { parameters: {}, files };
      jobs += 1;
      if (jobs >= (spec.maxJobs ?? mostJobs)) return;
    }
  }

  /** True if a dataset is as it was planned: its files are recorded. */
  async isClosed(datasetId: string): Promise<boolean> {
    return (await this.#options.datasets.find(datasetId))?.state === 'CLOSED';
  }

  /**
   * Files of consecutive jobs, of {@link filesAtOnce} files together, or of the first job.
   * @param first position of the first job
   */
  async ofJobs(
    {
      experiment,
      owner,
      state,
      dataset,
      template,
    }: Pick<TaskDocument, 'experiment' | 'owner' | 'state' | 'dataset' | 'template'>,
    sets: readonly StoredParameterSet[],
    first: number,
  ): Promise<FilesOfJobs> {
    const { datasetId = '', localityWeight } = dataset ?? {};
    const ranges = rangesTogether(sets);
    // The jobs will not run: they need no files.
    if (state === 'STOPPING') return { jobs: ranges.map((range) => filesOf(range, [], [], [])), awaited: [] };
    await this.#options.datasets.used(datasetId, this.#options.clock.now());
    const storages = await this.#options.storages(experiment);
    const sites = new Map(localityWeight === undefined ? [] : storages.map(({ _id, site }) => [_id, site]));
    const jobs: (JobFiles | undefined)[] = [];
    const awaited: AwaitedFiles[] = [];
    for (const [at, found] of (await this.#read(datasetId, ranges)).entries()) {
      const range = ranges[at] as FileRange;
      if (found.length < range.files) return { jobs: [], awaited: [], areGone: true };
      const files = found.map((file) => readableBy({ experiment, owner }, file, storages));
      const unavailable = range.files - files.filter(isAvailable).length;
      if (unavailable > 0) awaited.push({ index: first + at, files: range.files, unavailable });
      const near = nearSites(files, (storage) => sites.get(storage));
      const own = template.payload.inputs;
      jobs.push(unavailable > 0 ? undefined : filesOf(range, files, own, near));
    }
    return { jobs, awaited };
  }

  /** Files of ranges, in order. Ranges without keys follow one another, and are read together. */
  async #read(
    datasetId: string,
    ranges: readonly FileRange[],
  ): Promise<readonly (readonly DatasetFileDocument[])[]> {
    const { files } = this.#options;
    const [start, end] = [ranges[0], ranges.at(-1)];
    if (!start || !end) return [];
    if (start.key !== undefined) return Promise.all(ranges.map((range) => files.between(datasetId, range)));
    const all = await files.between(datasetId, { from: start.from, to: end.to });
    // Positions are consecutive.
    return ranges.map(({ from, to }) => all.slice(from - start.from, to - start.from + 1));
  }
}

/** Ranges of the first sets, of {@link filesAtOnce} files together, or of the first set. */
function rangesTogether(sets: readonly StoredParameterSet[]): readonly FileRange[] {
  const ranges: FileRange[] = [];
  let count = 0;
  for (const { files } of sets) {
    if (!files) break;
    count += files.files;
    if (ranges.length > 0 && (count > filesAtOnce || ranges.length >= jobsAtOnce)) break;
    ranges.push(files);
  }
  return ranges;
}

function expectedDataset(
  dataset: DatasetDocument | null,
  { principal, experiment }: { readonly principal: Principal; readonly experiment: string },
): string | undefined {
  if (dataset?.experiment !== experiment || !maySeeDataset(principal, dataset))
    return `a dataset of ${experiment} that you may read`;
  if (dataset.state !== 'CLOSED') return 'a closed dataset; close it first';
  return dataset.totals.files === 0 ? 'a dataset with files' : undefined;
}

function ruleOf({ by, perJob }: TaskDatasetSpec, ownInputs: number): SplitRule {
  return { by: by ?? 'FILES', perJob: perJob ?? 1, mostFiles: mostInputs - ownInputs };
}

/** Checks that jobs of an owner may read a copy of each file, and that files have what divides them. */
class ReadableFiles {
  readonly #owner: PlaceOwner;
  readonly #storages: readonly StorageFacts[];
  readonly #by: SplitRule['by'];
  readonly #errors: JobInputErrors;
  #refused = 0;

  constructor(
    owner: PlaceOwner,
    storages: readonly StorageFacts[],
    by: SplitRule['by'],
    errors: JobInputErrors,
  ) {
    this.#by = by;
    this.#owner = owner;
    this.#storages = storages;
    this.#errors = errors;
  }

  /** True once enough files were refused. */
  get isRefused(): boolean {
    return this.#refused >= mostNamed;
  }

  async *checked(files: AsyncIterable<ListedFile>): AsyncGenerator<ListedFile> {
    for await (const file of files) {
      this.#check(file);
      yield file;
    }
  }

  #check({ name, events, replicas }: ListedFile): void {
    if (this.#by === 'EVENTS' && events === undefined && !this.isRefused) {
      this.#refused = mostNamed;
      const expected = `another division: the number of events of ${name} is unknown`;
      this.#errors.add([...path, 'by'], 'EVENTS', expected);
    }
    if (replicas.length === 0 || this.isRefused) return;
    const problems = replicas.map(({ location }) =>
      isInStorage(location) ? problemOfInput(this.#owner, location, this.#storages) : undefined,
    );
    const [problem] = problems;
    if (problem === undefined || problems.includes(undefined)) return;
    this.#refused += 1;
    this.#errors.add([...path, 'datasetId'], `${name} at ${replicas[0]?.location}`, problem);
  }
}

/** A file with those of its copies that jobs of the owner may read. */
function readableBy(
  owner: PlaceOwner,
  file: DatasetFileDocument,
  storages: readonly StorageFacts[],
): DatasetFileDocument {
  const replicas = file.replicas.filter(
    ({ location }) => !isInStorage(location) || problemOfInput(owner, location, storages) === undefined,
  );
  return { ...file, replicas };
}

/** Files of a job. @param own inputs of the template */
function filesOf(
  range: FileRange,
  files: readonly DatasetFileDocument[],
  own: readonly StoredInput[],
  sites: readonly string[],
): JobFiles {
  const inputs = datasetInputs(files, own);
  const events = files.reduce((sum, { events: own = 0 }) => sum + own, 0);
  const parameters = {
    key: range.key ?? '',
    fileCount: String(range.files),
    eventCount: String(events),
  };
  return { inputs, parameters, sites };
}
