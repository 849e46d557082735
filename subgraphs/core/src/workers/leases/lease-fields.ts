/** Fields that heartbeats and losses write to a lease, for all repositories of leases. */
import type { StoreTime } from '../../shared/store-time.js';

type Fields = Readonly<Record<string, unknown>>;

/** Fields of a lease that runs from now on. */
export function runningLease(now: StoreTime, leaseSeconds: number): Fields {
  return { updatedAt: now(), expiresAt: { $add: [now(), leaseSeconds * 1000] } };
}

/** Fields of a lease that has ended; the time of an earlier loss stays. */
export function lostLease(now: StoreTime, reason: string): Fields {
  return {
    lostAt: { $ifNull: ['$lostAt', now()] },
    lostReason: { $literal: reason },
    dueAt: now(),
  };
}
