/**
 * The steps that bring ePIC's database to the shape that this version expects, in order; each is run once,
 * and never changed.
 */
import { collectionsOf } from '@rhizome/experiment';
import { type CollectionDefinition, ensureCollections, type Migration } from '@rhizome/mongo';
import { liveCollections } from './live/model/live-collections.js';
import { runsCollection } from './run.document.js';

/** ePIC's own collections. */
export const collections = [runsCollection, ...liveCollections] as unknown as readonly CollectionDefinition[];

export const migrations: readonly Migration[] = [
  {
    id: '0001-initial-collections',
    up: async (db) => {
      await ensureCollections(db, collectionsOf(collections));
    },
  },
  {
    id: '0002-live-runs',
    up: async (db) => {
      await ensureCollections(db, collectionsOf(collections));
    },
  },
];
