/** What stands behind the types of this folder's SDL. */
export type { ShareLeaf as ShareMapper } from '../shares.service.js';
