/**
 * The steps that bring ATLAS's database to the shape that this version expects, in order; each is run once,
 * and never changed.
 */
import { collectionsOf } from '@rhizome/experiment';
import { type CollectionDefinition, ensureCollections, type Migration } from '@rhizome/mongo';
import { productionTasksCollection } from './production-task.document.js';

/** ATLAS's own collections. */
export const collections = [productionTasksCollection] as unknown as readonly CollectionDefinition[];

export const migrations: readonly Migration[] = [
  {
    id: '0001-initial-collections',
    up: async (db) => {
      await ensureCollections(db, collectionsOf(collections));
    },
  },
  {
    id: '0002-resources-of-steps',
    up: async (db) => {
      await ensureCollections(db, collectionsOf(collections));
    },
  },
  {
    id: '0003-scouts',
    up: async (db) => {
      await ensureCollections(db, collectionsOf(collections));
    },
  },
];
