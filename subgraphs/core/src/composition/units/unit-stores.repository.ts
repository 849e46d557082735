/** Stores of work units on one database. */
import type { Db } from 'mongodb';
import { blocksCollection } from '../../units/blocks/block.document.js';
import { BlocksRepository } from '../../units/blocks/blocks.repository.js';
import { unitCompletionsCollection } from '../../units/blocks/unit-completion.document.js';
import { unitHoursCollection } from '../../units/blocks/unit-hour.document.js';
import { unitKeysCollection } from '../../units/blocks/unit-key.document.js';
import { unitPayloadsCollection } from '../../units/blocks/unit-payload.document.js';
import { poolsCollection } from '../../units/pools/pool.document.js';
import { PoolsRepository } from '../../units/pools/pools.repository.js';
import { UnitTotalsRepository } from '../../units/pools/unit-totals.repository.js';
import { PublishRepository } from '../../units/publish/publish.repository.js';
import { BlockUpkeepRepository } from '../../units/upkeep/block-upkeep.repository.js';

/** Collections of work units. */
export const unitCollections = [
  poolsCollection,
  blocksCollection,
  unitPayloadsCollection,
  unitKeysCollection,
  unitCompletionsCollection,
  unitHoursCollection,
] as const;

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
