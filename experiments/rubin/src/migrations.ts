/**
 * The steps that bring Rubin's database to the shape that this version expects, in order; each is run once,
 * and never changed.
 */
import { collectionsOf } from '@rhizome/experiment';
import { collection, type CollectionDefinition, ensureCollections, type Migration } from '@rhizome/mongo';
import { quantumReportsCollection } from './reports/quantum-report.document.js';
import { quantaCollection, workflowsCollection } from './workflow.document.js';

/** Rubin's own collections. */
export const collections = [
  workflowsCollection,
  quantaCollection,
  quantumReportsCollection,
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
  {
    id: '0004-workflows-of-core',
    up: async (db) => {
      await ensureCollections(db, collectionsOf(collections));
      // Their version stays: it says that they are tasks of core.
      const old = { totalQuanta: { $exists: false } };
      await collection(db, workflowsCollection).updateMany(old, [{ $set: { totalQuanta: '$totalJobs' } }]);
    },
  },
];
