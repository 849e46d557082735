/** Assembles work units: their services, the work on pools, and the upkeep on the leader. */
import type { Clock, Ids } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { LeaderWork } from '../../shared/leader-task.js';
import { PoolsService } from '../../units/pools/pools.service.js';
import { UnitViews } from '../../units/pools/unit-views.service.js';
import { PublishService } from '../../units/publish/publish.service.js';
import { Attempts, type ReadAttempts } from '../../units/reports/attempts.js';
import { UnitReports, type UnitReportsOptions } from '../../units/reports/unit-reports.service.js';
import type { UnitServices } from '../../units/unit-services.types.js';
import { UnitUpkeep, type UnitUpkeepConfig, type UnitUpkeepOptions } from '../../units/upkeep/unit-upkeep.js';
import { PayloadMemory } from '../../units/work/payload-memory.js';
import { PoolWorks } from '../../units/work/pool-works.js';
import type { UnitStores } from './unit-stores.repository.js';

/** Work units with their background work. */
export interface UnitsModule extends UnitServices {
  /** Starts the background work, which runs on the leader. */
  start(leader: LeaderWork): void;
  stop(): Promise<void>;
}

/** Dependencies of {@link unitsModule}. */
export interface UnitsModuleOptions {
  readonly stores: UnitStores;
  readonly events: UnitUpkeepOptions['events'] & {
    onWritten(collection: string, listener: (ids: readonly string[]) => void): () => void;
    onReset(listener: () => void): () => void;
  };
  readonly readAttempts: ReadAttempts;
  readonly gates: UnitReportsOptions['gates'];
  readonly experimentExists: (name: string) => Promise<boolean>;
  readonly experimentOfTask: (taskId: string) => Promise<string | null>;
  readonly config: Partial<UnitUpkeepConfig> | undefined;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

/** Creates the services. */
export function unitsModule(options: UnitsModuleOptions): UnitsModule {
  const { stores, events, readAttempts, experimentExists, experimentOfTask, config, clock, ids, log } =
    options;
  const { gates } = options;
  const { pools: repository, blocks } = stores;
  const attempts = new Attempts(readAttempts);
  const stillHeld: Attempts['stillHeld'] = (held) => attempts.stillHeld(held);
  const works = new PoolWorks({ repository: blocks, stillHeld, writer: ids.next('writer'), clock, ids, log });
  const onChanged = (poolIds: readonly string[]): void => works.look(poolIds);
  const pools = new PoolsService({
    ...{ repository, totals: stores.totals, experimentExists, experimentOfTask, onChanged, clock, ids },
  });
  const payloads = new PayloadMemory((blockIds) => blocks.payloads(blockIds));
  const isDrained: UnitReportsOptions['isDrained'] = async (pool) => {
    if (pool.state === 'OPEN' && (await repository.find(pool._id))?.state !== 'CLOSED') return false;
    const { state, waiting, leased } = await pools.totalsOf(pool);
    return state === 'CLOSED' && waiting + leased === 0;
  };
  let upkeep: UnitUpkeep | undefined;
  let stops: (() => void)[] = [];
  return {
    pools,
    publish: new PublishService({ pools: repository, repository: stores.publications, onChanged, clock }),
    reports: new UnitReports({ pools: repository, works, payloads, attempts, isDrained, gates, clock, ids }),
    views: new UnitViews({ pools: repository, blocks, payloads, works }),
    start(leader) {
      stops = [events.onWritten('workPools', onChanged), events.onReset(() => works.lookAll())];
      upkeep = new UnitUpkeep({
        ...{ blocks: stores.upkeep, pools: repository, works, events, leader, config, clock, log },
        endedJobs: (jobIds) => attempts.ended(jobIds),
      });
      upkeep.start();
    },
    async stop() {
      for (const stop of stops) stop();
      await upkeep?.stop();
      await works.stop();
    },
  };
}
