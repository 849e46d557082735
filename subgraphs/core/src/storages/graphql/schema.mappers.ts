/** Objects behind the types of this folder. */
import type { PositionsPage } from '@rhizome/mongo';
import type { StorageDocument } from '../storage.document.js';

export type StorageMapper = StorageDocument;
export type StorageConnectionMapper = PositionsPage<StorageDocument>;
