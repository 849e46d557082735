/** Writes of work units without the rest of core, for measurements of the store alone. */
export { completeUnit, leaseUnits } from './blocks/block-transitions.js';
export { blocksCollection } from './blocks/block.document.js';
export { BlocksRepository } from './blocks/blocks.repository.js';
export { unitCompletionsCollection } from './blocks/unit-completion.document.js';
export { unitHoursCollection } from './blocks/unit-hour.document.js';
export { unitKeysCollection } from './blocks/unit-key.document.js';
export { unitPayloadsCollection } from './blocks/unit-payload.document.js';
export { settingsOf } from './pools/pool-input.js';
export { type PoolDocument, poolsCollection } from './pools/pool.document.js';
export { PoolsRepository } from './pools/pools.repository.js';
export { UnitTotalsRepository } from './pools/unit-totals.repository.js';
export { groupsOf, newBlocks } from './publish/new-blocks.js';
export type { PublishedUnit } from './publish/publish-input.js';
export { PublishRepository } from './publish/publish.repository.js';
export { WorkDraft } from './work/work-draft.js';
