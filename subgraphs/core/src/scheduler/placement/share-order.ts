/**
 * The order of shares: first those below their quota, by the used part of the quota; then those that borrow,
 * by the borrowed part of all resources (the largest of cores, memory and GPUs), divided by their weight.
 */
import type { Usage } from '../cache/usage.js';
import type { ShareFacts } from '../../shares/share-facts.types.js';

/** Total resources of all live workers. */
export interface Totals {
  readonly cores: number;
  readonly memoryMiB: number;
  /** Whole GPUs. */
  readonly gpus: number;
}

/** Position of a share in the order; smaller comes first. */
export interface ShareStanding {
  readonly borrows: boolean;
  /** Used part of the quota, or the dominant borrowed part divided by the weight. */
  readonly measure: number;
}

/** Facts of a share without configuration: no quota, borrows without limit. */
export function unknownShare(path: string): ShareFacts {
  return { path, nominalCores: 0, weight: 1 };
}

/** Returns the standing of the share with this usage. */
export function standing(share: ShareFacts, usage: Usage, totals: Totals): ShareStanding {
  const gpus = ownGpus(share, totals);
  const served = Math.max(part(usage.cores, share.nominalCores), usage.gpus > 0 ? part(usage.gpus, gpus) : 0);
  if (usage.cores < share.nominalCores && served < 1) return { borrows: false, measure: served };
  return { borrows: true, measure: borrowedPart(share, usage, totals) / share.weight };
}

/**
 * Borrowed part of all resources. The memory quota is proportional to that of cores; so is the GPU quota
 * unless it is set.
 */
function borrowedPart(share: ShareFacts, usage: Usage, totals: Totals): number {
  const cores = part(usage.cores - share.nominalCores, totals.cores);
  const ownMemory = totals.cores > 0 ? (share.nominalCores / totals.cores) * totals.memoryMiB : 0;
  const memory = part(usage.memoryMiB - ownMemory, totals.memoryMiB);
  return Math.max(0, cores, memory, part(usage.gpus - ownGpus(share, totals), totals.gpus));
}

/** GPU quota of the share. */
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

/** Returns true if the share may use this many more cores, within its quota and borrowing limit. */
export function mayTake(share: ShareFacts, usage: Usage, cores: number): boolean {
  return (
    share.borrowLimitCores === undefined || usage.cores + cores <= share.nominalCores + share.borrowLimitCores
  );
}

/** Returns true if the share may use this many more GPUs; always true for zero. */
export function mayTakeGpus(share: ShareFacts, usage: Usage, totals: Totals, gpus: number): boolean {
  if (share.borrowLimitGpus === undefined || gpus === 0) return true;
  // Parts of GPUs are sums of thousandths and sevenths: less than a millionth over the limit does not count.
  return usage.gpus + gpus <= ownGpus(share, totals) + share.borrowLimitGpus + 1e-6;
}

/** Returns true if the owner may use this many more cores of the share. */
export function ownerMayTake(share: ShareFacts, ownerCores: number, cores: number): boolean {
  return share.ownerLimitCores === undefined || ownerCores + cores <= share.ownerLimitCores;
}
