/**
 * The steps that bring Rubin's database to the shape that this version expects, in order; each is run once,
 * and never changed.
 */
import { collectionsOf } from '@rhizome/experiment';
import { type CollectionDefinition, ensureCollections, type Migration } from '@rhizome/mongo';
import { quantaCollection, workflowsCollection } from './workflow.document.js';

/** Rubin's own collections. */
export const collections = [
  workflowsCollection,
  quantaCollection,
] as unknown as readonly CollectionDefinition[];

export const migrations: readonly Migration[] = [
  {
    id: '0001-initial-collections',
    up: async (db) => {
      await ensureCollections(db, collectionsOf(collections));
    },
  },
  {
    id: '0002-resources-of-labels',
    up: async (db) => {
      await ensureCollections(db, collectionsOf(collections));
    },
  },
  {
    id: '0003-release-of-workflows',
    up: async (db) => {
      await ensureCollections(db, collectionsOf(collections), { repair: true });
    },
  },
];
