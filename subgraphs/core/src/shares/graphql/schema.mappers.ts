/** Parent types of the resolvers of this folder's SDL. */
import type { PositionsPage } from '@rhizome/mongo';
import type { ShareLeaf } from '../shares.service.js';

export type ShareMapper = ShareLeaf;
export type ShareConnectionMapper = PositionsPage<ShareLeaf>;
