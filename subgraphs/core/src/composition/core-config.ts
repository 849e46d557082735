/** Configuration that core itself reads; `config.ts` reads all of it. */
import type { SecretsConfig } from './secrets.module.js';
import type { LeaseClockLimits } from '../workers/lease-clock/lease-clock.js';
import type { LiveQuotaLimits } from '../jobs/submit/live-quota.js';
import type { EventsConfig } from '../events/events.service.js';

/** Configuration of core. Absent members have defaults. */
export interface CoreConfig {
  /**
   * Address at which this process accepts GraphQL calls of other core processes. Called when it becomes
   * leader; undefined for a single process.
   */
  readonly advertisedUrl?: () => string | undefined;
  readonly events?: Partial<EventsConfig>;
  readonly broker?: {
    /** Time after which a leader that has not renewed its lease loses it, in milliseconds. */
    readonly leaseMs?: number;
    /** Interval at which the lease is renewed, in milliseconds. */
    readonly renewMs?: number;
  };
  /** Limits of the clock by which the leases of workers end. */
  readonly leaseClock?: Partial<LeaseClockLimits>;
  /** Maximum size of the log of one attempt, in bytes. */
  readonly maxLogBytes?: number;
  /** Limits of live jobs, by owner and by experiment. */
  readonly quotas?: Partial<LiveQuotaLimits>;
  readonly secrets?: SecretsConfig;
}

/** Defaults of {@link EventsConfig}. */
export const defaultEvents: EventsConfig = { ringSize: 131_072, bufferSize: 4096, countsSaveMs: 5000 };
