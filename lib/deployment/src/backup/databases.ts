/** Databases of a deployment, and the collections of one. */
import {
  declarationsCollection,
  isCopiedDatabase,
  restoreMarkCollection,
  restoreMarks,
  serverDatabases,
} from '@rhizome/mongo';
import type { Db, Document, MongoClient } from 'mongodb';
import { DeploymentError } from '../deployment-error.js';

/** A collection as MongoDB lists it. */
export interface ListedCollection {
  readonly name: string;
  /** Changes when the collection is dropped and created again. */
  readonly uuid: string;
  readonly options: Document;
}

/** Collections that have no meaning in a copy: locks, and the mark of a restore. */
const left = new Set(['migrationLock', restoreMarkCollection]);

/**
 * Names of the databases of the deployment, sorted: those in which a service has recorded its declarations.
 * Copies, which were restored under other names, are left out unless they are named.
 * @param wanted only these
 * @throws DeploymentError if one of them does not exist, or if there is none
 */
export async function deploymentDatabases(
  client: MongoClient,
  wanted: readonly string[] | undefined,
): Promise<readonly string[]> {
  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
  const names = databases.map(({ name }) => name).filter((name) => !serverDatabases.has(name));
  if (wanted && wanted.length > 0) {
    const missing = wanted.filter((name) => !names.includes(name));
    if (missing.length > 0) throw new DeploymentError(`Database ${missing.join(', ')} not found.`);
    return [...new Set(wanted)].sort();
  }
  const isPart = await Promise.all(
    names.map(async (name) => {
      const db = client.db(name);
      return (await hasDeclarations(db)) && !(await isCopiedDatabase(db));
    }),
  );
  const found = names.filter((_name, index) => isPart[index]).sort();
  if (found.length === 0)
    throw new DeploymentError(
      'MongoDB has no database of Rhizome; start the services of this release once, or name the databases with --database',
    );
  return found;
}

async function hasDeclarations(db: Db): Promise<boolean> {
  const filter = { name: declarationsCollection };
  return (await db.listCollections(filter, { nameOnly: true }).toArray()).length > 0;
}

/**
 * Collections of a database, sorted by name; without those of MongoDB and locks.
 * @throws DeploymentError while the database is being restored
 */
export async function listCollections(db: Db): Promise<readonly ListedCollection[]> {
  const listed = await db.listCollections({ type: 'collection' }, { nameOnly: false }).toArray();
  if (listed.some(({ name }) => name === restoreMarkCollection)) {
    const mark = await restoreMarks(db).findOne({ _id: 'restore' });
    if (mark?.state === 'RUNNING')
      throw new DeploymentError(`Database ${db.databaseName} is being restored; end the restore first`);
  }
  return (listed as readonly (Document & { readonly name: string })[])
    .filter(({ name }) => !name.startsWith('system.') && !left.has(name))
    .map(({ name, options, info }) => ({
      name,
      uuid: String((info as { readonly uuid?: unknown } | undefined)?.uuid),
      options: (options as Document | undefined) ?? {},
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
