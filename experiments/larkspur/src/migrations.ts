/**
 * The steps that bring Larkspur's database to the shape that this version expects, in order; each is run
 * once, and never changed.
 */
import { collectionsOf } from '@rhizome/experiment';
import { type CollectionDefinition, ensureCollections, type Migration } from '@rhizome/mongo';
import { observationsCollection } from './observation.document.js';

/** Larkspur's own collections. */
export const collections = [observationsCollection] as unknown as readonly CollectionDefinition[];

export const migrations: readonly Migration[] = [
  {
    id: '0001-initial-collections',
    up: async (db) => {
      await ensureCollections(db, collectionsOf(collections));
    },
  },
];
