/** Deletion of copies of files by hand, and their restoration. */
import { can, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { type InputError, InputErrors } from '@rhizome/errors';
import { forEachConcurrently } from '@rhizome/retry';
import type { StorageFacts } from '../../storages/places.js';
import { type DatasetCode, manageable } from '../dataset-access.js';
import type { DatasetDocument } from '../dataset.document.js';
import type { DatasetFileDocument } from '../dataset-file.document.js';
import type { DatasetFilesRepository, FileFilter } from '../dataset-files.repository.js';
import type { DatasetsRepository } from '../datasets.repository.js';
import { hasBegun, isBeingDeleted } from '../replicas.js';
import {
  addTotals,
  type DeletionMarker,
  type DeletionTotals,
  filesTogether,
  noTotals,
} from './deletion-marker.js';
import { checkKept, defaultRestoreDays } from './file-policy-input.js';
import type { DeletionsRepository } from './deletions.repository.js';

/** Dependencies of {@link FileDeletionsService}. */
export interface FileDeletionsOptions {
  readonly datasets: Pick<DatasetsRepository, 'find'>;
  readonly files: Pick<DatasetFilesRepository, 'setReplicas'>;
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
    const { deletions, marker, storages } = this.#options;
    const { minReplicas, restoreDays, storageName, isDryRun } = input;
    const errors = new InputErrors<DeleteFilesCode>();
    const dataset = await this.#dataset(errors, principal, input);
    checkKept(errors, { minReplicas, restoreDays });
    const known = dataset ? await storages(dataset.experiment) : [];
    if (dataset && storageName != null && !known.some(({ _id }) => _id === storageName))
      errors.add(['storageName'], storageName, `a storage of ${dataset.experiment}`);
    if (!dataset || !errors.isEmpty) return { totals: null, userErrors: errors.all };
    const { experiment, owner } = dataset;
    const scope = {
      owner: { experiment, owner },
      includesShared: can(principal, 'job:manageAny', experiment),
      storages: known,
      storageName: storageName ?? undefined,
      minReplicas: minReplicas ?? 0,
    };
    let totals = noTotals;
    let after = input.afterPosition ?? -1;
    for (let looked = 0; looked < filesPerCall; looked += filesTogether) {
      const part = { datasetId: dataset._id, after, limit: filesTogether };
      const files = await deletions.candidates(part, { filter: input.filter ?? {} });
      const marked = await marker.mark({
        ...{ dataset, files, scope, deletion: { by: principal.subject } },
        ...{ restoreDays: restoreDays ?? defaultRestoreDays, isDryRun: isDryRun ?? false },
      });
      if (!marked) {
        const text = 'datasetId: the search for jobs that need the files took too long; try again later';
        errors.report('SEARCH_TOO_LONG', ['datasetId'], text);
        return { totals: null, userErrors: errors.all };
      }
      totals = addTotals(totals, marked);
      after = files.at(-1)?.position ?? after;
      if (files.length < filesTogether) return { totals, userErrors: [] };
    }
    return { totals, nextPosition: after, userErrors: [] };
  }

  /** Makes copies AVAILABLE whose deletion has not begun. @throws DomainError FORBIDDEN */
  async restore(principal: Principal, input: Selection): Promise<RestoreFilesResult> {
    const { deletions, onReplicas } = this.#options;
    const errors = new InputErrors<DatasetCode>();
    const dataset = await this.#dataset(errors, principal, input);
    if (!dataset || !errors.isEmpty) return { copies: 0, tooLate: 0, userErrors: errors.all };
    const found = await deletions.beingDeleted(
      { datasetId: dataset._id, after: input.afterPosition ?? -1, limit: filesPerCall },
      input.filter ?? {},
    );
    let [copies, tooLate] = [0, 0];
    await forEachConcurrently(found, concurrent, async (file) => {
      const restored = await this.#restore(file);
      copies += restored;
      tooLate += file.replicas.filter(isBeingDeleted).length - restored;
    });
    if (copies > 0) await onReplicas(dataset._id);
    const nextPosition = found.length < filesPerCall ? undefined : found.at(-1)?.position;
    return { copies, tooLate, nextPosition, userErrors: [] };
  }

  /** @returns the number of restored copies; 0 if the file is written meanwhile, as by its deletion */
  async #restore(file: DatasetFileDocument): Promise<number> {
    const { files, clock } = this.#options;
    const now = clock.now();
    const free = file.replicas.filter((replica) => isBeingDeleted(replica) && !hasBegun(replica));
    if (free.length === 0) return 0;
    const replicas = file.replicas.map((replica) => {
      if (!free.includes(replica)) return replica;
      const { deletion: _, ...rest } = replica;
      return { ...rest, state: 'AVAILABLE' as const, changedAt: now };
    });
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
