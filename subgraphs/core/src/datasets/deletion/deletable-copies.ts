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

/**
 * Site of a copy: its storage, also if the location is a URL below the address of the storage; otherwise the
 * host of a URL. Copies at one site may be one object.
 */
export function siteOf(location: string, storages: readonly StorageFacts[]): string {
  const place = placeOf(location, storages);
  if ('key' in place) return place.storage._id;
  if (!URL.canParse(location)) return location;
  const { host, pathname } = new URL(location);
  const owner = storages.find(({ address }) => {
    if (!URL.canParse(address)) return false;
    const own = new URL(address);
    return own.host === host && `${pathname}/`.startsWith(`${own.pathname.replace(/\/+$/, '')}/`);
  });
  return owner?._id ?? `//${host}`;
}

/** Number of sites with an AVAILABLE copy, apart from those at which a copy is being deleted. */
export function sitesLeft(
  replicas: readonly Pick<StoredReplica, 'location' | 'state'>[],
  storages: readonly StorageFacts[],
): number {
  const sites = (state: StoredReplica['state']): Set<string> =>
    new Set(replicas.flatMap((one) => (one.state === state ? [siteOf(one.location, storages)] : [])));
  const going = sites('BEING_DELETED');
  return [...sites('AVAILABLE')].filter((site) => !going.has(site)).length;
}

/**
 * Copies of a file to delete, so that copies at enough other sites stay AVAILABLE. Those that were added last
 * stay.
 */
export function copiesToDelete(
  { replicas }: { readonly replicas: readonly StoredReplica[] },
  scope: DeletionScope,
): readonly StoredReplica[] {
  const chosen: StoredReplica[] = [];
  for (const replica of replicas) {
    const { location, state, changedAt } = replica;
    if (state !== 'AVAILABLE' || (scope.unchangedSince && changedAt > scope.unchangedSince)) continue;
    const place = deletablePlace(location, scope);
    if (!place || (scope.storageName !== undefined && place.storage._id !== scope.storageName)) continue;
    const going = new Set([...chosen, replica]);
    const rest = replicas.map((one) => (going.has(one) ? { ...one, state: 'BEING_DELETED' as const } : one));
    if (scope.minReplicas === 0 || sitesLeft(rest, scope.storages) >= scope.minReplicas) chosen.push(replica);
  }
  return chosen;
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
