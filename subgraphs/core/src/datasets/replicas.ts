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

/** Time at which the first deletion of a copy is due; undefined if none is being deleted. */
export function firstDeletion(replicas: readonly StoredReplica[]): Date | undefined {
  const times = replicas.filter(isBeingDeleted).map(({ deletion }) => deletion.dueAt.getTime());
  return times.length > 0 ? new Date(Math.min(...times)) : undefined;
}
