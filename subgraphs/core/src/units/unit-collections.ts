import { blocksCollection } from './blocks/block.document.js';
import { unitCompletionsCollection } from './blocks/unit-completion.document.js';
import { unitHoursCollection } from './blocks/unit-hour.document.js';
import { unitKeysCollection } from './blocks/unit-key.document.js';
import { unitPayloadsCollection } from './blocks/unit-payload.document.js';
import { poolsCollection } from './pools/pool.document.js';

/** Collections of work units. */
export const unitCollections = [
  poolsCollection,
  blocksCollection,
  unitPayloadsCollection,
  unitKeysCollection,
  unitCompletionsCollection,
  unitHoursCollection,
] as const;
