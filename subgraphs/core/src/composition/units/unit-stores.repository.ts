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
import { PublishRepository } from '../../units/publish/publish.repository.js';

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
  readonly publications: PublishRepository;
}

/** Creates the repositories. */
export function unitStores(db: Db): UnitStores {
  const blocks = new BlocksRepository(db);
  return { pools: new PoolsRepository(db), blocks, publications: new PublishRepository(db, blocks) };
}
