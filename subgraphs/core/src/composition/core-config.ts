/** Components and configuration that core is built from. */
import type { CurrentRights } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { FleetDatabase } from './fleet-stores.repository.js';
import type { SecretsConfig } from './secrets.module.js';
import type { LeaseClockLimits } from '../workers/lease-clock/lease-clock.js';
import type { HostLimits } from '../workers/hosts/host-state.js';
import type { LiveQuotaLimits } from '../jobs/submit/live-quota.js';
import type { UnitUpkeepConfig } from '../units/upkeep/unit-upkeep.js';
import type { WorkflowsConfig } from './workflows/workflows.module.js';
import type { JobFleetsConfig } from './fleets/job-fleets.module.js';
import type { FilesConfig } from '../files/files-config.js';
import type { EventsConfig } from '../events/events.service.js';

/** Components that core is built from. */
export interface CoreOptions {
  /** Core's own database, on a replica set. */
  readonly db: FleetDatabase;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  readonly config?: CoreConfig;
  /** Source of the rights that callers have now, for work that outlasts a call; default: their tokens. */
  readonly rights?: CurrentRights;
}

/** Configuration of core; `config.ts` reads it. Absent members have defaults. */
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
  /** Limits of the judgement about hosts. */
  readonly hosts?: Partial<HostLimits>;
  /** Time between two steps of the work on canary jobs, in milliseconds. */
  readonly canaryStepMs?: number;
  /** Maximum size of the log of one attempt, in bytes. */
  readonly maxLogBytes?: number;
  /** Limits of live jobs, by owner and by experiment. */
  readonly quotas?: Partial<LiveQuotaLimits>;
  readonly secrets?: SecretsConfig;
  /** Intervals of the upkeep of work units. */
  readonly units?: Partial<UnitUpkeepConfig>;
  /** Intervals of the work on workflows. */
  readonly workflows?: WorkflowsConfig;
  /** Intervals of the work on fleets of jobs. */
  readonly fleets?: JobFleetsConfig;
  /** Addresses and removal of files of jobs. */
  readonly files?: Partial<FilesConfig>;
}

/** Defaults of {@link EventsConfig}. */
export const defaultEvents: EventsConfig = { ringSize: 131_072, bufferSize: 4096, countsSaveMs: 5000 };
