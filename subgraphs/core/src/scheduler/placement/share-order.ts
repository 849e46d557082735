/**
 * Which share is served next: first those under their own quota, the least served first; then those that borrow, by what they hold beyond
 * their own as a part of all there is (the largest of cores, memory and GPUs), against their weight.
 */
import type { Usage } from '../cache/ledger.js';
import type { ShareFacts } from '../../shares/share-facts.types.js';

/** All there is: what live workers offer together. */
export interface Totals {
  readonly cores: number;
  readonly memoryMiB: number;
  /** Whole GPUs. */
  readonly gpus: number;
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
  const gpus = ownGpus(share, totals);
  const served = Math.max(part(usage.cores, share.nominalCores), usage.gpus > 0 ? part(usage.gpus, gpus) : 0);
  if (usage.cores < share.nominalCores && served < 1) return { borrows: false, measure: served };
  return { borrows: true, measure: borrowedPart(share, usage, totals) / share.weight };
}

/** Memory of its own goes with cores of its own in the proportion of the whole; so do GPUs, unless it is told. */
function borrowedPart(share: ShareFacts, usage: Usage, totals: Totals): number {
  const cores = part(usage.cores - share.nominalCores, totals.cores);
  const ownMemory = totals.cores > 0 ? (share.nominalCores / totals.cores) * totals.memoryMiB : 0;
  const memory = part(usage.memoryMiB - ownMemory, totals.memoryMiB);
  return Math.max(0, cores, memory, part(usage.gpus - ownGpus(share, totals), totals.gpus));
}

/** GPUs that are the share's own. */
function ownGpus({ nominalGpus, nominalCores }: ShareFacts, totals: Totals): number {
  return nominalGpus ?? (totals.cores > 0 ? Math.min(1, nominalCores / totals.cores) * totals.gpus : 0);
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

/** Whether the share may take this many GPUs more; one that asks for none always may. */
export function mayTakeGpus(share: ShareFacts, usage: Usage, totals: Totals, gpus: number): boolean {
  if (share.borrowLimitGpus === undefined || gpus === 0) return true;
  // Parts of GPUs are sums of thousandths and sevenths: what is over by less than a millionth is not over.
  return usage.gpus + gpus <= ownGpus(share, totals) + share.borrowLimitGpus + 1e-6;
}

/** Whether the owner may take this many cores more of the share. */
export function ownerMayTake(share: ShareFacts, ownerCores: number, cores: number): boolean {
  return share.ownerLimitCores === undefined || ownerCores + cores <= share.ownerLimitCores;
}
