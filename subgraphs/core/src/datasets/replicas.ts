/** Pure rules of replicas. */
import { mostReplicas, type StoredDeletion, type StoredReplica } from './dataset-file.document.js';

/**
 * Replicas with one that is added, or whose state is set; the same list if nothing changes. Another state
 * ends a deletion. In a full list, another copy replaces the record of the first deleted one.
 */
export function withReplica(
  replicas: readonly StoredReplica[],
  replica: Omit<StoredReplica, 'changedAt'>,
  now: Date,
): readonly StoredReplica[] {
  const at = replicas.findIndex(({ location }) => location === replica.location);
  if (at < 0) {
    const isFull = replicas.length >= mostReplicas;
    const gone = isFull ? replicas.findIndex(({ state }) => state === 'DELETED') : -1;
    return [...replicas.filter((_, position) => position !== gone), { ...replica, changedAt: now }];
  }
  if (replicas[at]?.state === replica.state) return replicas;
  return replicas.map((one, position) => (position === at ? { ...replica, changedAt: now } : one));
}

/** True if the file can be read now. */
export function isAvailable({ replicas }: { readonly replicas: readonly StoredReplica[] }): boolean {
  return replicas.some(({ state }) => state === 'AVAILABLE');
}

/** True for a copy that core is to delete, or is deleting. */
export function isBeingDeleted(
  replica: StoredReplica,
): replica is StoredReplica & { readonly deletion: StoredDeletion } {
  return replica.state === 'BEING_DELETED' && replica.deletion !== undefined;
}

/** True for a copy whose deletion has begun: it may be gone. */
export function hasBegun(replica: StoredReplica): boolean {
  return isBeingDeleted(replica) && replica.deletion.startedAt !== undefined;
}

/** True for a copy that may have gone from its storage after a time. */
export function mayBeGone(replica: StoredReplica, since: Date): boolean {
  return hasBegun(replica) || (replica.state === 'DELETED' && replica.changedAt >= since);
}

/**
 * Says which copies may be gone although their own deletion has not begun: another file has the same copy,
 * and it was deleted there since they were marked.
 */
export function goneElsewhere(
  files: readonly { readonly replicas: readonly StoredReplica[] }[],
): (replica: StoredReplica) => boolean {
  const copies = new Map<string, StoredReplica[]>();
  for (const replica of files.flatMap(({ replicas }) => replicas))
    copies.set(replica.location, [...(copies.get(replica.location) ?? []), replica]);
  return ({ location, changedAt }) =>
    copies.get(location)?.some((other) => mayBeGone(other, changedAt)) === true;
}

/** A copy whose deletion is given up. */
export function restored({ deletion: _, ...replica }: StoredReplica, now: Date): StoredReplica {
  return { ...replica, state: 'AVAILABLE', changedAt: now };
}

/** Time at which the first deletion of a copy is due; undefined if none is being deleted. */
export function firstDeletion(replicas: readonly StoredReplica[]): Date | undefined {
  const times = replicas.filter(isBeingDeleted).map(({ deletion }) => deletion.dueAt.getTime());
  return times.length > 0 ? new Date(Math.min(...times)) : undefined;
}
