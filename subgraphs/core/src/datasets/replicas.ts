/** Pure rules of replicas. */
import type { StoredReplica } from './dataset-file.document.js';

/** Replicas with one that is added, or whose state is set; the same list if nothing changes. */
export function withReplica(
  replicas: readonly StoredReplica[],
  replica: Omit<StoredReplica, 'changedAt'>,
  now: Date,
): readonly StoredReplica[] {
  const at = replicas.findIndex(({ location }) => location === replica.location);
  if (at < 0) return [...replicas, { ...replica, changedAt: now }];
  if (replicas[at]?.state === replica.state) return replicas;
  return replicas.map((one, position) => (position === at ? { ...replica, changedAt: now } : one));
}

/** True if the file can be read now. */
export function isAvailable({ replicas }: { readonly replicas: readonly StoredReplica[] }): boolean {
  return replicas.some(({ state }) => state === 'AVAILABLE');
}
