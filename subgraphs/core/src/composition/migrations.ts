/** The steps that bring a database to the shape that this version expects, in order; each is run once. */
import { ensureCollections, type CollectionDefinition, type Migration } from '@rhizome/mongo';
import { directoryCollections } from './directory-stores.repository.js';
import { eventCollections } from './event-stores.repository.js';
import { jobCollections } from './job-stores.repository.js';
import { fleetCollections } from './fleet.module.js';

/** All collections of core. */
export const coreCollections: readonly CollectionDefinition[] = [
  ...directoryCollections,
  ...jobCollections,
  ...fleetCollections,
  ...eventCollections,
] as readonly CollectionDefinition[];

/** All steps. A released one is never changed; the next one gets the next number. */
export const coreMigrations: readonly Migration[] = [
  {
    id: '0001-initial-collections',
    up: async (db) => {
      await ensureCollections(db, coreCollections);
    },
  },
];
