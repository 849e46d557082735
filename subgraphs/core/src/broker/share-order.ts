/**
 * Which share is served next: first those under their own quota, the least served first; then those that borrow, by what they hold beyond
 * their own as a part of all there is (the larger of cores and memory), against their weight.
 */
import type { ShareFacts } from './broker.types.js';
import type { Usage } from './ledger.js';

/** All there is: what live workers offer together. */
export interface Totals {
  readonly cores: number;
  readonly memoryMiB: number;
}

/** How a share stands at this moment. Smaller compares first. */
export interface ShareStanding {
  readonly borrows: boolean;
  /** Used by own, or the dominant part of what is borrowed by weight. */
  readonly measure: number;
}

/** A share that nobody configured: nothing of its own, may borrow without limit. */
export function unknownShare(path: string): ShareFacts {
  return { path, nominalCores: 0, weight: 1 };
}

/** How the share stands with this usage. */
export function standing(share: ShareFacts, usage: Usage, totals: Totals): ShareStanding {
  if (usage.cores < share.nominalCores) return { borrows: false, measure: usage.cores / share.nominalCores };
  return { borrows: true, measure: borrowedPart(share, usage, totals) / share.weight };
}

/** Memory of its own goes with cores of its own in the proportion of the whole. */
function borrowedPart(share: ShareFacts, usage: Usage, totals: Totals): number {
  const cores = part(usage.cores - share.nominalCores, totals.cores);
  const ownMemory = totals.cores > 0 ? (share.nominalCores / totals.cores) * totals.memoryMiB : 0;
  return Math.max(0, cores, part(usage.memoryMiB - ownMemory, totals.memoryMiB));
}

function part(amount: number, whole: number): number {
  return whole > 0 ? amount / whole : amount > 0 ? 1 : 0;
}

/** Compares two standings: negative if the first is served first, 0 if neither. */
export function compareStandings(a: ShareStanding, b: ShareStanding): number {
  if (a.borrows !== b.borrows) return a.borrows ? 1 : -1;
  return a.measure - b.measure;
}

/** Whether the share may take this many cores more: within its own and what it may borrow. */
export function mayTake(share: ShareFacts, usage: Usage, cores: number): boolean {
  return (
    share.borrowLimitCores === undefined || usage.cores + cores <= share.nominalCores + share.borrowLimitCores
  );
}

/** Whether the owner may take this many cores more of the share. */
export function ownerMayTake(share: ShareFacts, ownerCores: number, cores: number): boolean {
  return share.ownerLimitCores === undefined || ownerCores + cores <= share.ownerLimitCores;
}
