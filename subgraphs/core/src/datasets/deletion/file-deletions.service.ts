/** Deletion of copies of files by hand, and their restoration. */
import { can, owns, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { type InputError, InputErrors } from '@rhizome/errors';
import { isOverTime } from '@rhizome/mongo';
import { forEachConcurrently } from '@rhizome/retry';
import type { StorageFacts } from '../../storages/places.js';
import { type DatasetCode, manageable } from '../dataset-access.js';
import type { DatasetDocument } from '../dataset.document.js';
import type { DatasetFileDocument, StoredReplica } from '../dataset-file.document.js';
import type { DatasetFilesRepository, FileFilter } from '../dataset-files.repository.js';
import type { DatasetsRepository } from '../datasets.repository.js';
import { goneElsewhere, hasBegun, isBeingDeleted, restored } from '../replicas.js';
import {
  addTotals,
  type DeletionMarker,
  type DeletionRequest,
  type DeletionTotals,
  filesTogether,
  noTotals,
} from './deletion-marker.js';
import { checkKept, defaultRestoreDays } from './file-policy-input.js';
import type { Candidates, DeletionsRepository } from './deletions.repository.js';

/** Dependencies of {@link FileDeletionsService}. */
export interface FileDeletionsOptions {
  readonly datasets: Pick<DatasetsRepository, 'find'>;
  readonly files: Pick<DatasetFilesRepository, 'setReplicas' | 'at'>;
  readonly deletions: Pick<DeletionsRepository, 'candidates' | 'beingDeleted'>;
  readonly marker: Pick<DeletionMarker, 'mark'>;
  readonly storages: (experiment: string) => Promise<readonly StorageFacts[]>;
  /** Called after copies can be read again. */
  readonly onReplicas: (datasetId: string) => Promise<void>;
  readonly clock: Clock;
}

/** Codes of `deleteDatasetFiles` in addition to INVALID_VALUE. */
export type DeleteFilesCode = DatasetCode | 'SEARCH_TOO_LONG';

/** Files of a dataset from a position on. */
interface Selection {
  readonly datasetId: string;
  readonly filter?: FileFilter | null | undefined;
  /** Only files after this position. */
  readonly afterPosition?: number | null | undefined;
}

/** Files whose copies are to be deleted. */
export interface DeleteFiles extends Selection {
  readonly storageName?: string | null | undefined;
  readonly minReplicas?: number | null | undefined;
  readonly restoreDays?: number | null | undefined;
  readonly isDryRun?: boolean | null | undefined;
}

/** Copies that were marked. */
export interface DeleteFilesResult {
  readonly totals: DeletionTotals | null;
  /** Position after which there may be more; undefined at the end. */
  readonly nextPosition?: number | undefined;
  readonly userErrors: readonly InputError<DeleteFilesCode>[];
}

/** Copies that were restored. */
export interface RestoreFilesResult {
  readonly copies: number;
  /** Copies whose deletion had begun. */
  readonly tooLate: number;
  readonly nextPosition?: number | undefined;
  readonly userErrors: readonly InputError<DatasetCode>[];
}

/** Most files of one call. */
const filesPerCall = 10_000;
/** Most reads of one call: each looks at a bounded number of files. */
const readsPerCall = 30;
const concurrent = 8;
const mostPosition = Number.MAX_SAFE_INTEGER;
const maxNamed = 1000;

/** Deletes and restores. */
export class FileDeletionsService {
  readonly #options: FileDeletionsOptions;

  constructor(options: FileDeletionsOptions) {
    this.#options = options;
  }

  /**
   * Marks copies of files; those that something needs are kept. A repeated call marks what is left.
   * @throws DomainError FORBIDDEN
   */
  async delete(principal: Principal, input: DeleteFiles): Promise<DeleteFilesResult> {
    const { storages } = this.#options;
    const { minReplicas, restoreDays, storageName, isDryRun } = input;
    const errors = new InputErrors<DeleteFilesCode>();
    const dataset = await this.#dataset(errors, principal, input);
    checkKept(errors, { minReplicas, restoreDays });
    if (dataset?.state === 'REMOVING')
      errors.add(['datasetId'], dataset._id, 'a dataset that is not being removed');
    const known = dataset ? await storages(dataset.experiment) : [];
    if (dataset && storageName != null && !known.some(({ _id }) => _id === storageName))
      errors.add(['storageName'], storageName, `a storage of ${dataset.experiment}`);
    if (!dataset || !errors.isEmpty) return { totals: null, userErrors: errors.all };
    const { experiment, owner } = dataset;
    const scope = {
      owner: { experiment, owner },
      // Anyone can record files of all members in a dataset: the record of another is no reason to delete.
      includesShared: can(principal, 'job:manageAny', experiment) && owns(principal, owner),
      storages: known,
      storageName: storageName ?? undefined,
      minReplicas: minReplicas ?? 0,
    };
    const request = {
      ...{ dataset, scope, deletion: { by: principal.subject } },
      ...{ restoreDays: restoreDays ?? defaultRestoreDays, isDryRun: isDryRun ?? false },
    };
    const first = input.afterPosition ?? -1;
    let totals = noTotals;
    let after: number | undefined = first;
    let looked = 0;
    for (let reads = 0; after !== undefined && looked < filesPerCall && reads < readsPerCall; reads += 1) {
      const part = await this.#part(request, after, input.filter ?? {});
      if (!part && after > first) break;
      if (!part) {
        const text = 'datasetId: the search for jobs that need the files took too long; try again later';
        errors.report('SEARCH_TOO_LONG', ['datasetId'], text);
        return { totals: null, userErrors: errors.all };
      }
      totals = part.totals.reduce(addTotals, totals);
      looked += part.files.length;
      after = part.next;
    }
    return { totals, nextPosition: after, userErrors: [] };
  }

  /** Marks a part of the files. @returns undefined if it took too long: nothing was marked */
  async #part(
    request: Omit<DeletionRequest, 'files' | 'dataset'> & { readonly dataset: DatasetDocument },
    after: number,
    filter: FileFilter,
  ): Promise<(Candidates & { readonly totals: readonly DeletionTotals[] }) | undefined> {
    const { _id: datasetId, totals: sums } = request.dataset;
    const part = { datasetId, after, limit: filesTogether };
    try {
      const found = await this.#options.deletions.candidates(part, sums.files, { filter });
      const totals = await this.#options.marker.mark([{ ...request, files: found.files }]);
      return totals && { ...found, totals };
    } catch (error) {
      if (isOverTime(error)) return undefined;
      throw error;
    }
  }

  /** Makes copies AVAILABLE whose deletion has not begun. @throws DomainError FORBIDDEN */
  async restore(principal: Principal, input: Selection): Promise<RestoreFilesResult> {
    const { deletions, onReplicas } = this.#options;
    const errors = new InputErrors<DatasetCode>();
    const dataset = await this.#dataset(errors, principal, input);
    if (!dataset || !errors.isEmpty) return { copies: 0, tooLate: 0, userErrors: errors.all };
    let [copies, tooLate] = [0, 0];
    let nextPosition = input.afterPosition ?? undefined;
    for (let looked = 0; looked < filesPerCall; looked += filesTogether) {
      const part = { datasetId: dataset._id, after: nextPosition ?? -1, limit: filesTogether };
      const found = await deletions.beingDeleted(part, input.filter ?? {});
      const isGone = await this.#goneElsewhere(found);
      await forEachConcurrently(found, concurrent, async (file) => {
        const count = await this.#restore(file, isGone);
        copies += count;
        tooLate += file.replicas.filter(isBeingDeleted).length - count;
      });
      nextPosition = found.length < filesTogether ? undefined : found.at(-1)?.position;
      if (nextPosition === undefined) break;
    }
    if (copies > 0) await onReplicas(dataset._id);
    return { copies, tooLate, nextPosition, userErrors: [] };
  }

  async #goneElsewhere(found: readonly DatasetFileDocument[]): Promise<(replica: StoredReplica) => boolean> {
    const places = found.flatMap(({ replicas }) => replicas.filter(isBeingDeleted));
    return goneElsewhere(await this.#options.files.at([...new Set(places.map(({ location }) => location))]));
  }

  /** @returns the number of restored copies; 0 if the file is written meanwhile, as by its deletion */
  async #restore(file: DatasetFileDocument, isGone: (replica: StoredReplica) => boolean): Promise<number> {
    const { files, clock } = this.#options;
    const now = clock.now();
    const free = file.replicas.filter(
      (replica) => isBeingDeleted(replica) && !hasBegun(replica) && !isGone(replica),
    );
    if (free.length === 0) return 0;
    const replicas = file.replicas.map((replica) =>
      free.includes(replica) ? restored(replica, now) : replica,
    );
    return (await files.setReplicas(file, replicas, now)) ? free.length : 0;
  }

  async #dataset(
    errors: Pick<InputErrors<DatasetCode>, 'report' | 'int' | 'list'>,
    principal: Principal,
    { datasetId, filter, afterPosition }: Selection,
  ): Promise<DatasetDocument | undefined> {
    errors.int(['afterPosition'], afterPosition, 0, mostPosition);
    for (const [field, values] of Object.entries(filter ?? {}) as [string, unknown][])
      if (Array.isArray(values)) errors.list(['filter', field], values, maxNamed);
    return manageable(errors, principal, await this.#options.datasets.find(datasetId), datasetId);
  }
}
