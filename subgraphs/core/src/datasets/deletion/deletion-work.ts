/**
 * Deletes copies of files whose deletion is due. Runs on the leader; every step may be repeated, also by two
 * leaders at once: the file is written as begun, the copy is deleted, the file is written as done. Each write
 * names the revision that was read, so of two leaders one goes on.
 */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { forEachConcurrently } from '@rhizome/retry';
import { isStorageError, type StorageProvider } from '@rhizome/storage';
import { LeaderTask, type LeaderWork, repeat } from '../../shared/leader-task.js';
import { type PlaceOwner, serves } from '../../storages/places.js';
import type { StorageDocument } from '../../storages/storage.document.js';
import type { DatasetDocument } from '../dataset.document.js';
import type { DatasetFileDocument, StoredDeletion, StoredReplica } from '../dataset-file.document.js';
import type { DatasetFilesRepository } from '../dataset-files.repository.js';
import type { DatasetsRepository } from '../datasets.repository.js';
import { goneElsewhere, hasBegun, isBeingDeleted, restored } from '../replicas.js';
import { deletablePlace, sitesLeft } from './deletable-copies.js';
import type { DeletionsRepository } from './deletions.repository.js';
import type { FileUsers, SoughtCopy } from './file-users.js';

/** Dependencies of {@link DeletionWork}. */
export interface DeletionWorkOptions {
  readonly deletions: Pick<DeletionsRepository, 'due'>;
  readonly files: Pick<DatasetFilesRepository, 'setReplicas' | 'named' | 'at'>;
  readonly datasets: Pick<DatasetsRepository, 'findMany'>;
  readonly users: Pick<FileUsers, 'of'>;
  /** All storages, as stored now. */
  readonly storages: () => Promise<readonly StorageDocument[]>;
  /** Called after copies can be read again. */
  readonly onReplicas: (datasetId: string) => Promise<void>;
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
/** The same after a search that failed, and for a copy that its storage refuses to delete, or has failed. */
const retryMs = 3_600_000;
/** Failures after which the other copies in a storage wait. */
const mostFailures = 3;
/** Refusals after which a copy is recorded as UNAVAILABLE. */
const mostRefusals = 10;

type Due = SoughtCopy & { readonly file: DatasetFileDocument; readonly storage: StorageDocument };

/** Files of one experiment, and what is known about them. */
interface Search {
  /** Storages of the experiment. */
  readonly storages: readonly StorageDocument[];
  readonly copies: readonly Due[];
  /** Users by location; undefined if the search failed. */
  readonly used: ReadonlyMap<string, string> | undefined;
  /** Monotonic time at which it ended. */
  readonly searchedAtMs: number;
  /** Number of failures by storage, of the whole round. */
  readonly failures: Map<string, number>;
}

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
    const failures = new Map<string, number>();
    for (let goesOn = true; goesOn && !signal.aborted;) {
      const due = await deletions.due(clock.now(), filesAtOnce);
      const written = due.length > 0 ? await this.#delete(due, failures, signal) : 0;
      goesOn = due.length === filesAtOnce && written > 0;
    }
  }

  /** @returns the number of files that were written */
  async #delete(
    files: readonly DatasetFileDocument[],
    failures: Map<string, number>,
    signal: AbortSignal,
  ): Promise<number> {
    const { datasets, storages, clock } = this.#options;
    const ids = [...new Set(files.map(({ datasetId }) => datasetId))];
    const owners = new Map((await datasets.findMany(ids)).map((dataset) => [dataset._id, dataset]));
    const known = await storages();
    const experimentOf = ({ datasetId }: DatasetFileDocument) => owners.get(datasetId)?.experiment;
    let written = 0;
    for (const experiment of new Set(files.map(experimentOf))) {
      const some = files.filter((file) => experimentOf(file) === experiment);
      const own = known.filter((storage) => experiment !== undefined && serves(storage, experiment));
      const copies = some.flatMap((file) => copiesOf(file, owners.get(file.datasetId), own, clock.now()));
      const search: Search = { storages: own, copies, failures, ...(await this.#search(copies)) };
      await forEachConcurrently(some, concurrent, async (file) => {
        if (!signal.aborted && (await this.#deleteCopies(file, search, signal))) written += 1;
      });
    }
    return written;
  }

  /** Users of copies. A search that fails puts off these copies, and no others. */
  async #search(copies: readonly Due[]): Promise<Pick<Search, 'used' | 'searchedAtMs'>> {
    const { users, clock, log } = this.#options;
    let used: ReadonlyMap<string, string> | undefined;
    try {
      used = await users.of(copies);
    } catch (err) {
      log.warn({ err, copies: copies.length }, 'users of files not found; their deletion is put off');
    }
    return { used, searchedAtMs: clock.monotonicMs() };
  }

  /** Deletes the due copies of a file, or puts them off. @returns false if the file was left as it is */
  async #deleteCopies(
    file: DatasetFileDocument,
    { storages, copies, used, searchedAtMs, failures }: Search,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { files, onReplicas, clock } = this.#options;
    const now = clock.now();
    const beganMs = clock.monotonicMs();
    // Nothing follows from a search that ended long ago; the next one finds the copies again.
    const isLate = (): boolean => clock.monotonicMs() - searchedAtMs > searchedMs;
    if (used && isLate()) return false;
    const own = copies.filter(({ fileId }) => fileId === file._id);
    const byLocation = new Map(own.map((copy) => [copy.location, copy]));
    const isFailed = ({ storage }: Due): boolean => (failures.get(storage._id) ?? 0) >= mostFailures;
    const isFree = ({ location }: StoredReplica): boolean => {
      const copy = byLocation.get(location);
      return copy !== undefined && used?.has(location) === false && !isFailed(copy);
    };
    // Other copies were lost meanwhile.
    const kept = await this.#restorable(file, sitesLeft(file.replicas, storages), now);
    const begun = file.replicas.map((replica) => {
      if (!isBeingDeleted(replica) || replica.deletion.dueAt > now) return replica;
      if (kept.has(replica)) return restored(replica, now);
      const free = isFree(replica);
      if (hasBegun(replica) && !byLocation.has(replica.location)) return refused(replica, now);
      const waitMs = free ? takeOverMs : used?.has(replica.location) ? laterMs : retryMs;
      const dueAt = new Date(now.getTime() + waitMs);
      const startedAt = free ? { startedAt: replica.deletion.startedAt ?? now } : {};
      return { ...replica, deletion: { ...replica.deletion, ...startedAt, dueAt } };
    });
    if (!(await files.setReplicas(file, begun, now))) return false;
    if (kept.size > 0) await onReplicas(file.datasetId);
    const results = new Map<string, 'DELETED' | 'REFUSED'>();
    for (const copy of own) {
      // Another leader takes over while this process stands still.
      if (isLate() || clock.monotonicMs() - beganMs > takeOverMs / 2) break;
      const replica = begun.find(({ location }) => location === copy.location);
      if (!replica || !hasBegun(replica) || !isFree(replica)) continue;
      const result = await this.#deleteCopy(copy, failures, signal);
      if (result !== 'FAILED') results.set(copy.location, result);
    }
    if (results.size > 0) await this.#record({ ...file, revision: file.revision + 1 }, begun, results);
    return true;
  }

  /** Due copies that are needed, since fewer others are left than must be, and that are still there. */
  async #restorable(file: DatasetFileDocument, left: number, now: Date): Promise<ReadonlySet<StoredReplica>> {
    const needed = file.replicas.filter(
      (replica) =>
        isBeingDeleted(replica) &&
        replica.deletion.dueAt <= now &&
        !hasBegun(replica) &&
        left < replica.deletion.minReplicas,
    );
    if (needed.length === 0) return new Set();
    const isGone = goneElsewhere(await this.#options.files.at(needed.map(({ location }) => location)));
    return new Set(needed.filter((replica) => !isGone(replica)));
  }

  /** @returns FAILED if the storage failed: the deletion is repeated later */
  async #deleteCopy(
    { storage, place: { key }, fileId }: Due,
    failures: Map<string, number>,
    stopped: AbortSignal,
  ): Promise<'DELETED' | 'REFUSED' | 'FAILED'> {
    const { open, log } = this.#options;
    try {
      const provider = await open(storage);
      const signal = AbortSignal.any([stopped, AbortSignal.timeout(deletionMs)]);
      await provider.delete(key, { signal });
      return 'DELETED';
    } catch (err) {
      log.warn({ err, storage: storage._id, file: fileId }, 'copy of a file not deleted');
      if (!isStorageError(err, 'INVALID')) failures.set(storage._id, (failures.get(storage._id) ?? 0) + 1);
      return isStorageError(err, 'INVALID', 'DENIED') ? 'REFUSED' : 'FAILED';
    }
  }

  async #record(
    file: DatasetFileDocument,
    begun: readonly StoredReplica[],
    results: ReadonlyMap<string, 'DELETED' | 'REFUSED'>,
  ): Promise<void> {
    const { files, clock, log } = this.#options;
    const now = clock.now();
    const done = (replicas: readonly StoredReplica[]): readonly StoredReplica[] =>
      replicas.map((replica) => {
        const result = results.get(replica.location);
        if (!result || !isBeingDeleted(replica) || !hasBegun(replica)) return replica;
        return result === 'REFUSED'
          ? refused(replica, now)
          : { ...replica, state: 'DELETED' as const, changedAt: now };
      });
    let isStored = await files.setReplicas(file, done(begun), now);
    if (!isStored) {
      // Another copy was changed meanwhile. If it is changed again, the deletion is repeated later.
      const [current] = await files.named(file.datasetId, [file.name]);
      isStored = current !== undefined && (await files.setReplicas(current, done(current.replicas), now));
    }
    const locations = [...results].flatMap(([location, result]) => (result === 'DELETED' ? location : []));
    if (isStored && locations.length > 0) log.info({ file: file._id, locations }, 'copies of a file deleted');
  }
}

/** A copy that its storage refused to delete: it is tried again, and is UNAVAILABLE in the end. */
function refused(
  { deletion, ...replica }: StoredReplica & { readonly deletion: StoredDeletion },
  now: Date,
): StoredReplica {
  const refusals = (deletion.refusals ?? 0) + 1;
  const dueAt = new Date(now.getTime() + retryMs);
  const stored = { ...replica, deletion: { ...deletion, refusals, dueAt } };
  return refusals < mostRefusals ? stored : { ...stored, state: 'UNAVAILABLE', changedAt: now };
}

/** Copies of a file whose deletion is due, and whose places are still known. */
function copiesOf(
  file: DatasetFileDocument,
  dataset: DatasetDocument | undefined,
  storages: readonly StorageDocument[],
  now: Date,
): readonly Due[] {
  if (!dataset) return [];
  const owner: PlaceOwner = dataset;
  return file.replicas.flatMap((replica): readonly Due[] => {
    if (!isBeingDeleted(replica) || replica.deletion.dueAt > now) return [];
    const { location } = replica;
    // Whether shared files may be deleted was checked when it was asked for.
    const place = deletablePlace(location, { owner, includesShared: true, storages });
    const storage = place && storages.find(({ _id }) => _id === place.storage._id);
    if (!place || !storage) return [];
    return [{ datasetId: dataset._id, owner, fileId: file._id, location, place, file, storage }];
  });
}
