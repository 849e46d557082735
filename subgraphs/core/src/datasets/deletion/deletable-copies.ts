/** Pure rules for the copies of files that core may delete. */
import {
  type Place,
  type PlaceOwner,
  placeOf,
  ownPrefix,
  sharedPrefix,
  type StorageFacts,
  uploadsPrefix,
} from '../../storages/places.js';
import type { StoredDeletion, StoredReplica } from '../dataset-file.document.js';

/** Beginning of the locations that core can delete: files at others may have further names. */
const named = 'rhizome://';

/** Copies that may be deleted. */
export interface DeletionScope {
  /** Owner of the dataset. */
  readonly owner: PlaceOwner;
  /** True if files of all members of the experiment may be deleted, too. */
  readonly includesShared: boolean;
  /** Storages of the experiment. */
  readonly storages: readonly StorageFacts[];
  /** Only copies in this storage. */
  readonly storageName?: string | undefined;
  /** Copies that stay AVAILABLE. */
  readonly minReplicas: number;
  /** Only copies that are as they are since this time: one that was restored is kept again. */
  readonly unchangedSince?: Date | undefined;
}

/** Place of a copy that core may delete; undefined if it may not. */
export function deletablePlace(
  location: string,
  { owner, includesShared, storages }: Pick<DeletionScope, 'owner' | 'includesShared' | 'storages'>,
): Place | undefined {
  if (!location.startsWith(named)) return undefined;
  const place = placeOf(location, storages);
  // A file of XRootD has other names, by which jobs may read it.
  if (!('key' in place) || place.storage.provider === 'XROOTD') return undefined;
  const { key } = place;
  const isOwn = key.startsWith(ownPrefix(owner)) && !key.startsWith(uploadsPrefix(owner));
  const isShared = includesShared && key.startsWith(sharedPrefix(owner.experiment));
  return isOwn || isShared ? place : undefined;
}

/** Copies of a file to delete, so that enough others stay AVAILABLE. Those that were added last stay. */
export function copiesToDelete(
  { replicas }: { readonly replicas: readonly StoredReplica[] },
  scope: DeletionScope,
): readonly StoredReplica[] {
  const available = replicas.filter(({ state }) => state === 'AVAILABLE');
  const most = Math.max(0, available.length - scope.minReplicas);
  return available
    .filter(({ location, changedAt }) => {
      if (scope.unchangedSince && changedAt > scope.unchangedSince) return false;
      const place = deletablePlace(location, scope);
      return place && (scope.storageName === undefined || place.storage._id === scope.storageName);
    })
    .slice(0, most);
}

/** Replicas after a deletion of some was asked for. */
export function withDeletions(
  replicas: readonly StoredReplica[],
  locations: ReadonlySet<string>,
  deletion: StoredDeletion,
  now: Date,
): readonly StoredReplica[] {
  return replicas.map((replica) =>
    locations.has(replica.location) && replica.state === 'AVAILABLE'
      ? { ...replica, state: 'BEING_DELETED' as const, changedAt: now, deletion }
      : replica,
  );
}
