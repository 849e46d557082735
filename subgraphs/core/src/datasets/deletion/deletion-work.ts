/**
 * Deletes copies of files whose deletion is due. Runs on the leader; every step may be repeated, also by two
 * leaders at once: the file is written as begun, the copy is deleted, the file is written as done. Each write
 * names the revision that was read, so of two leaders one goes on.
 */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { forEachConcurrently } from '@rhizome/retry';
import type { StorageProvider } from '@rhizome/storage';
import { LeaderTask, type LeaderWork, repeat } from '../../shared/leader-task.js';
import { type PlaceOwner, serves } from '../../storages/places.js';
import type { StorageDocument } from '../../storages/storage.document.js';
import type { DatasetDocument } from '../dataset.document.js';
import type { DatasetFileDocument, StoredReplica } from '../dataset-file.document.js';
import type { DatasetFilesRepository } from '../dataset-files.repository.js';
import type { DatasetsRepository } from '../datasets.repository.js';
import { hasBegun, isBeingDeleted } from '../replicas.js';
import { deletablePlace } from './deletable-copies.js';
import type { DeletionsRepository } from './deletions.repository.js';
import type { FileUsers, SoughtCopy } from './file-users.js';

/** Dependencies of {@link DeletionWork}. */
export interface DeletionWorkOptions {
  readonly deletions: Pick<DeletionsRepository, 'due'>;
  readonly files: Pick<DatasetFilesRepository, 'setReplicas' | 'named'>;
  readonly datasets: Pick<DatasetsRepository, 'findMany'>;
  readonly users: Pick<FileUsers, 'of'>;
  /** All storages, as stored now. */
  readonly storages: () => Promise<readonly StorageDocument[]>;
  readonly open: (storage: StorageDocument) => Promise<Pick<StorageProvider, 'delete'>>;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Logger;
  /** Interval in milliseconds. */
  readonly everyMs: number;
}

/** Files whose users are searched together. */
const filesAtOnce = 500;
const concurrent = 8;
/** Time after the search for users in which copies are deleted, in milliseconds. */
const searchedMs = 30_000;
/** Longest deletion of one copy, in milliseconds. */
const deletionMs = 10_000;
/** Time after which a deletion that has begun is repeated; longer than any deletion. */
const takeOverMs = 600_000;
/** Time after which a copy that something needs is checked again. */
const laterMs = 86_400_000;
/** The same after a search that took too long, and for a copy whose storage is gone or has failed. */
const retryMs = 3_600_000;

type Due = SoughtCopy & { readonly file: DatasetFileDocument; readonly storage: StorageDocument };

/** The work of the leader. */
export class DeletionWork {
  readonly #options: DeletionWorkOptions;
  readonly #task: LeaderTask;

  constructor(options: DeletionWorkOptions) {
    this.#options = options;
    const { leader, log, everyMs } = options;
    const failed = (err: unknown): void => log.warn({ err }, 'copies of files not deleted');
    this.#task = new LeaderTask(
      leader,
      (signal) => repeat(() => this.#round(signal), everyMs, signal, failed),
      log,
    );
  }

  start(): void {
    this.#task.start();
  }

  stop(): Promise<void> {
    return this.#task.stop();
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { deletions, clock } = this.#options;
    // The other copies in a storage that fails wait until they are due again.
    const failed = new Set<string>();
    for (let isFull = true; isFull && !signal.aborted;) {
      const due = await deletions.due(clock.now(), filesAtOnce);
      isFull = due.length === filesAtOnce;
      if (due.length > 0) await this.#delete(due, failed, signal);
    }
  }

  async #delete(
    files: readonly DatasetFileDocument[],
    failed: Set<string>,
    signal: AbortSignal,
  ): Promise<void> {
    const { datasets, storages, users, clock } = this.#options;
    const ids = [...new Set(files.map(({ datasetId }) => datasetId))];
    const owners = new Map((await datasets.findMany(ids)).map((dataset) => [dataset._id, dataset]));
    const known = await storages();
    const experimentOf = ({ datasetId }: DatasetFileDocument) => owners.get(datasetId)?.experiment;
    for (const experiment of new Set(files.map(experimentOf))) {
      const some = files.filter((file) => experimentOf(file) === experiment);
      const copies = some.flatMap((file) => copiesOf(file, owners.get(file.datasetId), known, clock.now()));
      const used = await users.of(copies);
      const beganMs = clock.monotonicMs();
      await forEachConcurrently(some, concurrent, async (file) => {
        if (signal.aborted || clock.monotonicMs() - beganMs > searchedMs) return;
        const own = copies.filter(({ fileId }) => fileId === file._id);
        await this.#deleteCopies(file, own, { used, failed }, signal);
      });
    }
  }

  /** Deletes the due copies of a file, or puts them off. */
  async #deleteCopies(
    file: DatasetFileDocument,
    copies: readonly Due[],
    {
      used,
      failed,
    }: { readonly used: ReadonlyMap<string, string> | undefined; readonly failed: Set<string> },
    signal: AbortSignal,
  ): Promise<void> {
    const { files, clock } = this.#options;
    const now = clock.now();
    const byLocation = new Map(copies.map((copy) => [copy.location, copy]));
    const isFree = ({ location }: StoredReplica): boolean => {
      const copy = byLocation.get(location);
      return copy !== undefined && used?.has(location) === false && !failed.has(copy.storage._id);
    };
    const available = file.replicas.filter(({ state }) => state === 'AVAILABLE').length;
    const begun = file.replicas.map((replica) => {
      if (!isBeingDeleted(replica) || replica.deletion.dueAt > now) return replica;
      // Other copies were lost meanwhile.
      if (!hasBegun(replica) && available < replica.deletion.minReplicas) return restored(replica, now);
      const waitMs = isFree(replica)
        ? takeOverMs
        : used && byLocation.has(replica.location)
          ? laterMs
          : retryMs;
      const dueAt = new Date(now.getTime() + waitMs);
      const startedAt = isFree(replica) ? { startedAt: replica.deletion.startedAt ?? now } : {};
      return { ...replica, deletion: { ...replica.deletion, ...startedAt, dueAt } };
    });
    if (!(await files.setReplicas(file, begun, now))) return;
    const gone = new Set<string>();
    const beganMs = clock.monotonicMs();
    for (const replica of file.replicas) {
      // Another leader takes over while this process stands still.
      if (clock.monotonicMs() - beganMs > takeOverMs / 2) break;
      const copy = byLocation.get(replica.location);
      const isBegun = begun.some((one) => one.location === replica.location && hasBegun(one));
      if (copy && isBegun && isFree(replica) && (await this.#deleteCopy(copy, failed, signal)))
        gone.add(copy.location);
    }
    if (gone.size > 0) await this.#record({ ...file, revision: file.revision + 1 }, begun, gone);
  }

  /** @returns false if the storage failed: the deletion is repeated later */
  async #deleteCopy(
    { storage, place: { key }, fileId }: Due,
    failed: Set<string>,
    stopped: AbortSignal,
  ): Promise<boolean> {
    const { open, log } = this.#options;
    try {
      const provider = await open(storage);
      const signal = AbortSignal.any([stopped, AbortSignal.timeout(deletionMs)]);
      await provider.delete(key, { signal });
      return true;
    } catch (err) {
      failed.add(storage._id);
      log.warn({ err, storage: storage._id, file: fileId }, 'copy of a file not deleted');
      return false;
    }
  }

  async #record(
    file: DatasetFileDocument,
    begun: readonly StoredReplica[],
    gone: ReadonlySet<string>,
  ): Promise<void> {
    const { files, clock, log } = this.#options;
    const now = clock.now();
    const done = (replicas: readonly StoredReplica[]): readonly StoredReplica[] =>
      replicas.map((replica) =>
        gone.has(replica.location) && hasBegun(replica)
          ? { ...replica, state: 'DELETED' as const, changedAt: now }
          : replica,
      );
    let isStored = await files.setReplicas(file, done(begun), now);
    if (!isStored) {
      // Another copy was changed meanwhile. If it is changed again, the deletion is repeated later.
      const [current] = await files.named(file.datasetId, [file.name]);
      isStored = current !== undefined && (await files.setReplicas(current, done(current.replicas), now));
    }
    if (isStored) log.info({ file: file._id, locations: [...gone] }, 'copies of a file deleted');
  }
}

function restored({ deletion: _, ...replica }: StoredReplica, now: Date): StoredReplica {
  return { ...replica, state: 'AVAILABLE', changedAt: now };
}

/** Copies of a file whose deletion is due, and whose places are still known. */
function copiesOf(
  file: DatasetFileDocument,
  dataset: DatasetDocument | undefined,
  known: readonly StorageDocument[],
  now: Date,
): readonly Due[] {
  if (!dataset) return [];
  const owner: PlaceOwner = dataset;
  const storages = known.filter((storage) => serves(storage, owner.experiment));
  return file.replicas.flatMap((replica): readonly Due[] => {
    if (!isBeingDeleted(replica) || replica.deletion.dueAt > now) return [];
    const { location } = replica;
    // Whether shared files may be deleted was checked when it was asked for.
    const place = deletablePlace(location, { owner, includesShared: true, storages });
    const storage = place && known.find(({ _id }) => _id === place.storage._id);
    if (!place || !storage) return [];
    return [{ datasetId: dataset._id, owner, fileId: file._id, location, place, file, storage }];
  });
}
