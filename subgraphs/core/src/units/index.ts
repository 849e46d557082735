/** Writes of work units without the rest of core, for measurements of the store alone. */
export { completeUnit, leaseUnits } from './blocks/block-transitions.js';
export { BlocksRepository } from './blocks/blocks.repository.js';
export { settingsOf } from './pools/pool-input.js';
export type { PoolDocument } from './pools/pool.document.js';
export { PoolsRepository } from './pools/pools.repository.js';
export { UnitTotalsRepository } from './pools/unit-totals.repository.js';
export { groupsOf, newBlocks } from './publish/new-blocks.js';
export { PublishRepository } from './publish/publish.repository.js';
export { unitCollections } from './unit-collections.js';
export { WorkDraft } from './work/work-draft.js';
