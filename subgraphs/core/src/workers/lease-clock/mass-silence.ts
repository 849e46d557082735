/**
 * Rule for many workers that fall silent at once. The cause is then more likely a fault of the service or of
 * the network between, such as a broken load balancer, than the death of the workers. So their losses are
 * postponed, for a limited time.
 */

/** Limits of the rule. */
export interface MassSilenceLimits {
  /** Share of the workers above which losses are postponed. */
  readonly share: number;
  /** Fewest silent workers for which losses are postponed. */
  readonly workers: number;
  /** Longest postponement, in milliseconds. */
  readonly longestMs: number;
}

/** More than 20 % of the workers, at least 5, for at most 30 minutes. */
export const massSilenceLimits: MassSilenceLimits = { share: 0.2, workers: 5, longestMs: 30 * 60_000 };

/** A postponement in progress. It is stored, so that a new leader continues it. */
export interface Postponement {
  readonly since: Date;
  /** Longest lease of the silent workers when it began, in milliseconds. */
  readonly leaseMs: number;
}

/** Facts that decide about losses. */
export interface SilenceFacts {
  /** Time of the lease clock. */
  readonly now: Date;
  /** Workers whose leases have ended and that are not lost yet. */
  readonly silent: number;
  /** Longest of their leases, in milliseconds. */
  readonly leaseMs: number;
  /** Workers that were lost within the time of their own lease. */
  readonly recentlyLost: number;
  /** Workers that are not lost, silent or not. */
  readonly workers: number;
  /** Time from which all leases have had their full time again. */
  readonly restartedAt: Date;
}

/** Outcome of the rule. */
export interface SilenceDecision {
  /** True if the silent workers are not lost now. */
  readonly isPostponed: boolean;
  /** The postponement to store; undefined if there is none. */
  readonly postponement: Postponement | undefined;
  /** Set when a postponement begins or ends. */
  readonly change?: 'BEGAN' | 'SHARE_FELL' | 'TIME_OVER';
}

/**
 * Decides whether the silent workers are lost now.
 *
 * After a restart of the clock no lease can have ended for a while, so the share says nothing: a postponement
 * in progress stays until its leases have had their full time.
 */
export function decideLosses(
  facts: SilenceFacts,
  postponement: Postponement | undefined,
  limits: MassSilenceLimits,
): SilenceDecision {
  const isMass = isMassSilence(facts, limits);
  if (!postponement) {
    if (!isMass) return { isPostponed: false, postponement: undefined };
    return {
      isPostponed: true,
      postponement: { since: facts.now, leaseMs: facts.leaseMs },
      change: 'BEGAN',
    };
  }
  const isSettled = facts.now.getTime() - facts.restartedAt.getTime() >= postponement.leaseMs;
  const isOver = facts.now.getTime() - postponement.since.getTime() >= limits.longestMs;
  if (isOver && isSettled) return { isPostponed: false, postponement: undefined, change: 'TIME_OVER' };
  if (isOver) return { isPostponed: false, postponement };
  if (!isMass && isSettled) return { isPostponed: false, postponement: undefined, change: 'SHARE_FELL' };
  return { isPostponed: true, postponement };
}

function isMassSilence(
  { silent, recentlyLost, workers }: SilenceFacts,
  { share, workers: fewest }: MassSilenceLimits,
): boolean {
  const all = silent + recentlyLost;
  return silent > 0 && all >= fewest && all > share * (workers + recentlyLost);
}
