/** Assembles fleets of jobs: their services, their gates for units, and the work on the leader. */
import type { Clock, Ids } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { FleetCommands } from '../../fleets/control/fleet-commands.service.js';
import { FleetTemplates, type FleetTemplatesOptions } from '../../fleets/control/fleet-templates.js';
import { FleetsService } from '../../fleets/control/fleets.service.js';
import type { JobFleetServices } from '../../fleets/fleet-services.types.js';
import { FleetJournal, type FleetJournalOptions } from '../../fleets/run/fleet-journal.js';
import { FleetWork, type FleetWorkOptions } from '../../fleets/run/fleet-work.js';
import type { EventHandler } from '../../jobs/transitions/event-work.js';
import type { UnitServices } from '../../units/unit-services.types.js';
import type { UnitStores } from '../units/unit-stores.repository.js';
import type { JobFleetStores } from './job-fleets.repository.js';

/** Fleets with their background work. */
export interface JobFleetsModule extends JobFleetServices {
  /** Receives the events of jobs on the leader. */
  readonly handler: EventHandler;
  start(): void;
  /** Stops after the decisions in progress; leadership must have ended. */
  stop(): Promise<void>;
}

/** Intervals of the work on fleets that differ from the defaults. */
export interface JobFleetsConfig {
  /** Interval at which decisions are made, in milliseconds. */
  readonly passMs?: number;
}

/** Dependencies of {@link jobFleetsModule}. */
export interface JobFleetsModuleOptions
  extends
    FleetTemplatesOptions,
    Pick<FleetWorkOptions, 'quota' | 'leader'>,
    Pick<FleetJournalOptions, 'writer'> {
  readonly stores: JobFleetStores;
  readonly units: Pick<UnitServices, 'pools'>;
  readonly unitStores: Pick<UnitStores, 'pools' | 'blocks'>;
  readonly jobs: FleetJournalOptions['jobs'];
  readonly config: JobFleetsConfig | undefined;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

/** Creates the services. */
export function jobFleetsModule(options: JobFleetsModuleOptions): JobFleetsModule {
  const { stores, units, unitStores, jobs, writer, quota, leader, config, clock, ids, log } = options;
  const { fleets, decisions } = stores;
  const { pools, blocks } = unitStores;
  const templates = new FleetTemplates(options);
  const journal = new FleetJournal({ fleets, decisions, jobs, writer, clock });
  const work = new FleetWork({
    ...{ fleets, jobs, journal, quota, leader, clock, log },
    pools: {
      findMany: (poolIds) => pools.findMany(poolIds),
      totals: (found) => units.pools.totals(found),
      readySince: (poolIds) => blocks.readySince(poolIds, clock.now()),
      holding: (poolId, jobIds) => blocks.holding(poolId, jobIds),
    },
    passMs: config?.passMs,
  });
  return {
    fleets: new FleetsService({ fleets, decisions, pools, jobs, templates, clock, ids }),
    commands: new FleetCommands({ fleets, jobs, templates, journal, clock }),
    handler: work,
    start: () => work.start(),
    stop: () => work.stop(),
  };
}
