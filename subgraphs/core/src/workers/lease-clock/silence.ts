/** Silent workers while the lease clock stands still: they are not lost, and not unreachable either. */
import type { Clock } from '@rhizome/clock';
import type { Silence } from '../../scheduler/explain/lost-contact.js';
import type { LeasesRepository } from '../leases/leases.repository.js';
import type { Standstill } from './lease-clock.js';

/** The clock, and where leases are read while it stands still. */
export interface SilenceSources {
  readonly standstill: Standstill | undefined;
  readonly leases: Pick<LeasesRepository, 'findMany'>;
  readonly clock: Clock;
}

/** The silence of a worker whose lease is over, and has not ended because of the clock. */
export async function silenceOf(
  workerId: string,
  { standstill, leases, clock }: SilenceSources,
): Promise<Silence | undefined> {
  if (!standstill) return undefined;
  const [lease] = await leases.findMany([workerId]);
  if (!lease || lease.lostAt || lease.expiresAt > clock.now()) return undefined;
  return { ...standstill, lastSeenAt: lease.updatedAt };
}
