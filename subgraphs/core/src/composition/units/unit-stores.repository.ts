/** Stores of work units on one database. */
import type { Db } from 'mongodb';
import { BlocksRepository } from '../../units/blocks/blocks.repository.js';
import { PoolsRepository } from '../../units/pools/pools.repository.js';
import { UnitTotalsRepository } from '../../units/pools/unit-totals.repository.js';
import { PublishRepository } from '../../units/publish/publish.repository.js';
import { BlockUpkeepRepository } from '../../units/upkeep/block-upkeep.repository.js';

/** Repositories of work units. */
export interface UnitStores {
  readonly pools: PoolsRepository;
  readonly blocks: BlocksRepository;
  readonly totals: UnitTotalsRepository;
  readonly publications: PublishRepository;
  readonly upkeep: BlockUpkeepRepository;
}

/** Creates the repositories. */
export function unitStores(db: Db): UnitStores {
  const totals = new UnitTotalsRepository(db);
  return {
    pools: new PoolsRepository(db),
    blocks: new BlocksRepository(db),
    totals,
    publications: new PublishRepository(db, totals),
    upkeep: new BlockUpkeepRepository(db),
  };
}
