/** Changes of requirements by a rule. Pure. */
import type { ChangeableAmount, StoredChange, StoredLimit } from '../jobs/model/decision.types.js';
import type { StoredRequirements } from '../jobs/model/job.types.js';
import { mostDiskMiB, mostMemoryMiB } from '../jobs/submit/job-input.js';
import { longestWalltimeSeconds } from '../queues/walltime.js';
import type { OfferedAmounts } from './failure.types.js';
import type { AmountRule, RetryAction } from './policy.types.js';

/** Largest value of each amount. */
export const mostOf: Readonly<Record<ChangeableAmount, number>> = {
  memoryMiB: mostMemoryMiB,
  walltimeSeconds: longestWalltimeSeconds,
  diskMiB: mostDiskMiB,
};

const amounts = [
  ['memory', 'memoryMiB'],
  ['walltime', 'walltimeSeconds'],
  ['disk', 'diskMiB'],
] as const;

/** Returns true if the action changes requirements. */
export function changesAmounts(action: RetryAction): boolean {
  return amounts.some(([name]) => action[name] !== undefined);
}

/** Changes of requirements, and the amounts that were asked for and are not offered. */
export interface ChangedAmounts {
  readonly changes: readonly StoredChange[];
  readonly limits: readonly Omit<StoredLimit, 'rule'>[];
}

/**
 * The changes that an action makes to requirements; those that change nothing are left out.
 * @param offers largest amounts that are offered together: no change goes beyond all of them
 */
export function changesOf(
  action: RetryAction,
  requirements: StoredRequirements,
  offers: readonly OfferedAmounts[] = [],
): ChangedAmounts {
  const wanted = amounts.flatMap(([name, field]) => {
    const rule = action[name];
    const before = requirements[field];
    const after = rule === undefined ? before : changed(before, rule, mostOf[field]);
    return after === before ? [] : [{ field, before, after }];
  });
  const offered = offers.map((offer) => wanted.map((change) => within(change, offer)));
  const best = offered.reduce((a, b) => (growthOf(b) > growthOf(a) ? b : a), offered[0] ?? wanted);
  return {
    changes: best.filter(({ before, after }) => after !== before),
    limits: wanted.flatMap(({ field, after }, index) => {
      const limit = best[index]?.after ?? after;
      return limit < after ? [{ field, wanted: after, limit }] : [];
    }),
  };
}

/** The change up to the offer; a job keeps what it has. */
function within({ field, before, after }: StoredChange, offer: OfferedAmounts): StoredChange {
  return { field, before, after: after > before ? Math.max(before, Math.min(after, offer[field])) : after };
}

/** Factor by which amounts grow, in all, as a logarithm. */
function growthOf(changes: readonly StoredChange[]): number {
  return changes.reduce((sum, { before, after }) => sum + Math.log((after + 1) / (before + 1)), 0);
}

/** Requirements after the changes. */
export function withChanges(
  requirements: StoredRequirements,
  changes: readonly StoredChange[],
): StoredRequirements {
  if (changes.length === 0) return requirements;
  return { ...requirements, ...Object.fromEntries(changes.map(({ field, after }) => [field, after])) };
}

/** Requirements before the changes. */
export function withoutChanges(
  requirements: StoredRequirements,
  changes: readonly StoredChange[],
): StoredRequirements {
  if (changes.length === 0) return requirements;
  return { ...requirements, ...Object.fromEntries(changes.map(({ field, before }) => [field, before])) };
}

function changed(before: number, { factor, add, value, max = Infinity }: AmountRule, most: number): number {
  const limit = Math.min(max, most);
  const wanted = value ?? (factor === undefined ? before + (add ?? 0) : Math.ceil(before * factor));
  // A job that requested more than the limit keeps what it has.
  if (wanted > before) return Math.max(before, Math.min(limit, wanted));
  return Math.max(1, wanted);
}
