/** Datasets: creating, closing, removing, listing. */
import type { Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { digestOf } from '@rhizome/digest';
import { badInput, type InputError, InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import { visibilityOf } from '../shared/visibility.js';
import { type DatasetCode, manageable, maySeeDataset } from './dataset-access.js';
import { type DatasetDocument, datasetSchemaVersion } from './dataset.document.js';
import { checkDataset, type CreateDataset } from './dataset-input.js';
import type { DatasetJobs } from './dataset-jobs.repository.js';
import type { DatasetFilter, DatasetsRepository } from './datasets.repository.js';
import type { OutputRegistration } from './output-registration.js';

/** Dependencies of {@link DatasetsService}. */
export interface DatasetsOptions {
  readonly datasets: DatasetsRepository;
  readonly jobs: Pick<DatasetJobs, 'live'>;
  readonly outputs: Pick<OutputRegistration, 'registerEnded'>;
  readonly experimentExists: (name: string) => Promise<boolean>;
  /**
   * Id of a task with jobs that do not exist yet and will read files of the dataset, or add outputs to it;
   * undefined if there is none.
   */
  readonly taskOf: (datasetId: string, use: 'READS' | 'ADDS') => Promise<string | undefined>;
  /** True if copies of files of the dataset are being deleted. */
  readonly isDeletingFiles: (datasetId: string) => Promise<boolean>;
  /** A workflow or fleet that has not ended and will add outputs, as text; undefined if there is none. */
  readonly submitterOf: (datasetId: string) => Promise<string | undefined>;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Codes of `createDataset` in addition to INVALID_VALUE. */
export type CreateDatasetCode = 'EXPERIMENT_NOT_FOUND' | 'DATASET_NAME_TAKEN';
/** Codes of `closeDataset` and `removeDataset` in addition to INVALID_VALUE. */
export type EndDatasetCode = DatasetCode | 'DATASET_IN_USE';

/** The dataset, or the errors because of which the call was refused. */
export interface DatasetResult<C extends string> {
  readonly dataset: DatasetDocument | null;
  readonly userErrors: readonly InputError<C>[];
}

const maxNamed = 1000;

/** Datasets of all experiments. */
export class DatasetsService {
  readonly #options: DatasetsOptions;

  constructor(options: DatasetsOptions) {
    this.#options = options;
  }

  /** Creates a dataset. A repeated call with the same input returns the dataset. */
  async create(principal: Principal, input: CreateDataset): Promise<DatasetResult<CreateDatasetCode>> {
    const { datasets, experimentExists, clock, ids } = this.#options;
    const errors = new InputErrors<CreateDatasetCode>();
    checkDataset(errors, input);
    if (errors.isEmpty && !(await experimentExists(input.experiment)))
      errors.add(['experiment'], input.experiment, 'a registered experiment', 'EXPERIMENT_NOT_FOUND');
    if (!errors.isEmpty) return { dataset: null, userErrors: errors.all };
    const { experiment, name } = input;
    const metadata = (input.metadata ?? []).map(({ key, value }) => ({ key, value }));
    const now = clock.now();
    const dataset: DatasetDocument = {
      _id: ids.next('dataset'),
      schemaVersion: datasetSchemaVersion,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      experiment,
      name,
      owner: principal.subject,
      state: 'OPEN',
      metadata,
      totals: { files: 0, bytes: 0, events: 0 },
      digest: digestOf({ experiment, name, metadata }),
    };
    if (await datasets.insert(dataset)) return { dataset, userErrors: [] };
    const known = await datasets.named(experiment, name);
    const isSame = known?.owner === dataset.owner && known.digest === dataset.digest;
    if (isSame && known.state !== 'REMOVING') return { dataset: known, userErrors: [] };
    const reason =
      known?.state === 'REMOVING'
        ? 'the name of a dataset that is being removed; try again later'
        : 'the name of another dataset of the experiment; must be unique';
    errors.report('DATASET_NAME_TAKEN', ['name'], `name: ${JSON.stringify(name)} is ${reason}`);
    return { dataset: null, userErrors: errors.all };
  }

  /**
   * Closes a dataset that no live job adds outputs to. All outputs of jobs that have ended are in it.
   * @throws DomainError FORBIDDEN
   */
  async close(principal: Principal, datasetId: string): Promise<DatasetResult<EndDatasetCode>> {
    const { datasets, outputs, clock } = this.#options;
    const errors = new InputErrors<EndDatasetCode>();
    const dataset = manageable(errors, principal, await datasets.find(datasetId), datasetId);
    if (!dataset) return { dataset: null, userErrors: errors.all };
    if (dataset.state !== 'OPEN') return { dataset, userErrors: [] };
    if (await this.#isInUse(errors, dataset)) return { dataset: null, userErrors: errors.all };
    // No further job ends from here on, and those that have ended keep their keys until they are done.
    await outputs.registerEnded(datasetId);
    const now = clock.now();
    const closed = await datasets.move(datasetId, ['OPEN'], { state: 'CLOSED', closedAt: now }, now);
    return { dataset: closed ?? (await datasets.find(datasetId)), userErrors: [] };
  }

  /**
   * Removes a dataset that no live job adds outputs to; the files stay in their storages. With `isDryRun`,
   * nothing is changed: the totals of the dataset say what would be removed.
   * @throws DomainError FORBIDDEN
   */
  async remove(
    principal: Principal,
    { datasetId, isDryRun }: { readonly datasetId: string; readonly isDryRun?: boolean | null | undefined },
  ): Promise<DatasetResult<EndDatasetCode>> {
    const { datasets, clock } = this.#options;
    const errors = new InputErrors<EndDatasetCode>();
    const dataset = manageable(errors, principal, await datasets.find(datasetId), datasetId);
    if (!dataset) return { dataset: null, userErrors: errors.all };
    if (await this.#isInUse(errors, dataset)) return { dataset: null, userErrors: errors.all };
    const task = await this.#options.taskOf(datasetId, 'READS');
    if (task !== undefined) {
      const message = `datasetId: not all jobs of task ${task} have their files of dataset "${dataset.name}" yet; wait for them, or abort the task`;
      errors.report('DATASET_IN_USE', ['datasetId'], message);
      return { dataset: null, userErrors: errors.all };
    }
    if (await this.#options.isDeletingFiles(datasetId)) {
      const message = `datasetId: copies of files of dataset "${dataset.name}" are being deleted; wait until they are gone, or restore them`;
      errors.report('DATASET_IN_USE', ['datasetId'], message);
      return { dataset: null, userErrors: errors.all };
    }
    if (isDryRun === true) return { dataset, userErrors: [] };
    const removed = await datasets.move(datasetId, ['OPEN', 'CLOSED'], { state: 'REMOVING' }, clock.now());
    return { dataset: removed ?? dataset, userErrors: [] };
  }

  async #isInUse(errors: InputErrors<EndDatasetCode>, { _id, name }: DatasetDocument): Promise<boolean> {
    const user = await this.#userOf(_id);
    if (user === undefined) return false;
    const message = `datasetId: ${user} may still add outputs to dataset "${name}"; wait for its end, or cancel it`;
    errors.report('DATASET_IN_USE', ['datasetId'], message);
    return true;
  }

  /** Text for what may still add outputs to a dataset; undefined if nothing does. */
  async #userOf(datasetId: string): Promise<string | undefined> {
    const { jobs, taskOf, submitterOf } = this.#options;
    // Jobs come last: those that the others create meanwhile are live, or have ended, when jobs are searched.
    const task = await taskOf(datasetId, 'ADDS');
    if (task !== undefined) return `task ${task}, not all of whose jobs exist yet,`;
    const submitter = await submitterOf(datasetId);
    if (submitter !== undefined) return submitter;
    const job = await jobs.live(datasetId);
    return job === undefined ? undefined : `job ${job}`;
  }

  /** Datasets by id, in the same order; null for those that the principal may not see. */
  async findMany(ids: readonly string[], principal: Principal): Promise<readonly (DatasetDocument | null)[]> {
    const found = await this.#options.datasets.findMany(ids);
    const visible = new Map(found.map((one) => [one._id, maySeeDataset(principal, one) ? one : null]));
    return ids.map((id) => visible.get(id) ?? null);
  }

  /** A page of datasets that the principal may see, the newest first. @throws DomainError BAD_USER_INPUT */
  page(
    filter: DatasetFilter | null | undefined,
    page: { readonly first: number; readonly after: string | null | undefined },
    principal: Principal,
  ): Promise<KeysetPage<DatasetDocument>> {
    for (const [field, values] of Object.entries(filter ?? {}) as [string, readonly unknown[] | null][])
      if ((values?.length ?? 0) > maxNamed)
        throw badInput(`filter.${field}`, values?.length, `at most ${maxNamed} values`);
    return this.#options.datasets.page(filter ?? {}, visibilityOf(principal, 'dataset:read'), page);
  }
}
