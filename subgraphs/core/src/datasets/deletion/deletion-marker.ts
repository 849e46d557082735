/** Asks for the deletion of copies of files: they are marked, and can be restored until it is due. */
import type { Clock } from '@rhizome/clock';
import { forEachConcurrently } from '@rhizome/retry';
import type { DatasetDocument } from '../dataset.document.js';
import type { DatasetFileDocument, StoredDeletion } from '../dataset-file.document.js';
import type { DatasetFilesRepository } from '../dataset-files.repository.js';
import { copiesToDelete, deletablePlace, type DeletionScope, withDeletions } from './deletable-copies.js';
import type { FileUsers, SoughtCopy } from './file-users.js';

/** Shortest time between a request and the deletion: submits that were checked before are stored by then. */
export const shortestTrashMs = 600_000;
/** Most files that are looked at together. */
export const filesTogether = 1000;
const concurrent = 8;
/** Most files and reasons that a result names. */
const mostNamed = 20;

/** Dependencies of {@link DeletionMarker}. */
export interface DeletionMarkerOptions {
  readonly files: Pick<DatasetFilesRepository, 'setReplicas'>;
  readonly users: Pick<FileUsers, 'of'>;
  readonly clock: Clock;
}

/** Copies to delete of files of one dataset. */
export interface DeletionRequest {
  readonly dataset: Pick<DatasetDocument, '_id' | 'name'>;
  readonly files: readonly DatasetFileDocument[];
  readonly scope: DeletionScope;
  readonly deletion: Omit<StoredDeletion, 'dueAt' | 'minReplicas'>;
  /** Days for which the copies can be restored. */
  readonly restoreDays: number;
  /** Finds the copies, and changes nothing. */
  readonly isDryRun?: boolean;
}

/** A file that is kept although it was selected. */
export interface KeptFile {
  readonly datasetId: string;
  readonly name: string;
  readonly reason: string;
}

/** Sums over copies whose deletion was asked for, or would be. */
export interface DeletionTotals {
  readonly files: number;
  readonly copies: number;
  readonly bytes: number;
  /** Selected files with a copy that is kept because something needs it. */
  readonly keptFiles: number;
  /** The first of these. */
  readonly kept: readonly KeptFile[];
  /** Files that had a copy to delete, the first ones. */
  readonly sample: readonly Pick<DatasetFileDocument, 'datasetId' | 'name' | 'sizeBytes' | 'createdAt'>[];
  /** Time at which the oldest file was added; undefined without files. */
  readonly oldestAt?: Date;
}

/** Totals of nothing. */
export const noTotals: DeletionTotals = {
  ...{ files: 0, copies: 0, bytes: 0, keptFiles: 0 },
  ...{ kept: [], sample: [] },
};

/** Sum of two totals. */
export function addTotals(a: DeletionTotals, b: DeletionTotals): DeletionTotals {
  const times = [a.oldestAt, b.oldestAt].flatMap((time) => time?.getTime() ?? []);
  return {
    files: a.files + b.files,
    copies: a.copies + b.copies,
    bytes: a.bytes + b.bytes,
    keptFiles: a.keptFiles + b.keptFiles,
    kept: [...a.kept, ...b.kept].slice(0, mostNamed),
    sample: [...a.sample, ...b.sample].slice(0, mostNamed),
    ...(times.length > 0 ? { oldestAt: new Date(Math.min(...times)) } : {}),
  };
}

/** Marks copies. */
export class DeletionMarker {
  readonly #options: DeletionMarkerOptions;

  constructor(options: DeletionMarkerOptions) {
    this.#options = options;
  }

  /**
   * Marks the copies of about {@link filesTogether} files of datasets of one experiment that nothing needs.
   * A file that is changed meanwhile is left as it is.
   * @returns totals by dataset; undefined if the search for users took too long: nothing was marked
   */
  async mark(requests: readonly DeletionRequest[]): Promise<readonly DeletionTotals[] | undefined> {
    const users = await this.#options.users.of(requests.flatMap(soughtOf));
    if (!users) return undefined;
    const totals: DeletionTotals[] = [];
    for (const request of requests) totals.push(await this.#mark(request, users));
    return totals;
  }

  async #mark(request: DeletionRequest, users: ReadonlyMap<string, string>): Promise<DeletionTotals> {
    const { files, scope, isDryRun = false } = request;
    const chosen = files.flatMap((file) => {
      const copies = copiesToDelete(file, scope);
      return copies.length > 0 ? [{ file, copies }] : [];
    });
    const results: DeletionTotals[] = [];
    await forEachConcurrently([...chosen.entries()], concurrent, async ([at, { file, copies }]) => {
      const free = new Set(copies.flatMap(({ location }) => (users.has(location) ? [] : [location])));
      const isMarked = free.size > 0 && (isDryRun || (await this.#write(file, free, request)));
      const used = copies.find(({ location }) => users.has(location));
      results[at] = totalsOf(file, isMarked ? free.size : 0, used && users.get(used.location));
    });
    return results.reduce(addTotals, noTotals);
  }

  #write(
    file: DatasetFileDocument,
    locations: ReadonlySet<string>,
    { scope, deletion, restoreDays }: DeletionRequest,
  ): Promise<boolean> {
    const { files, clock } = this.#options;
    const now = clock.now();
    const dueAt = new Date(now.getTime() + Math.max(restoreDays * 86_400_000, shortestTrashMs));
    const stored = { ...deletion, minReplicas: scope.minReplicas, dueAt };
    return files.setReplicas(file, withDeletions(file.replicas, locations, stored, now), now);
  }
}

function soughtOf({ dataset, files, scope }: DeletionRequest): readonly SoughtCopy[] {
  return files.flatMap((file) =>
    copiesToDelete(file, scope).flatMap(({ location }): readonly SoughtCopy[] => {
      const place = deletablePlace(location, scope);
      return place ? [{ datasetId: dataset._id, owner: scope.owner, fileId: file._id, location, place }] : [];
    }),
  );
}

function totalsOf(
  { datasetId, name, sizeBytes, createdAt }: DatasetFileDocument,
  copies: number,
  reason: string | undefined,
): DeletionTotals {
  const isChosen = copies > 0;
  return {
    files: isChosen ? 1 : 0,
    copies,
    bytes: copies * sizeBytes,
    keptFiles: reason === undefined ? 0 : 1,
    kept: reason === undefined ? [] : [{ datasetId, name, reason }],
    sample: isChosen ? [{ datasetId, name, sizeBytes, createdAt }] : [],
    ...(isChosen ? { oldestAt: createdAt } : {}),
  };
}
