/**
 * Declarations of the services, kept in the database itself: collections with their validators and indexes,
 * and migrations. Tools compare the database with them, without the code of the services.
 */
import type { Db } from 'mongodb';
import type { CollectionDefinition, DocumentSchema, IndexDefinition } from './collection.js';
import { isDuplicateKey } from './duplicate-key.js';
import { restoreMarks } from './restore-mark.js';

/** Name of the collection with the declarations. */
export const declarationsCollection = 'declarations';

/** A declaration, of whatever type its documents are. */
export type DeclaredCollection = Omit<CollectionDefinition, 'document'>;

/** Declarations of the newest services that have started with a database. */
export interface Declarations {
  readonly collections: readonly DeclaredCollection[];
  /** Ids of migrations, in order; empty if the service has none. */
  readonly migrations: readonly string[];
}

interface DeclarationDocument {
  readonly _id: string;
  /** Version of the collection, or number of the migrations: that of an older service does not replace it. */
  readonly schemaVersion: number;
  /** JSON: names of operators may be keys. */
  readonly declared: string;
}

const migrationsId = '.migrations';
/** Says that the database was restored under another name. */
const copyId = '.copy';
const majority = { writeConcern: { w: 'majority' } } as const;

/** Records what a service declares, unless a newer one has recorded more. Writes only what has changed. */
export async function recordDeclarations(
  db: Db,
  definitions: readonly DeclaredCollection[],
  migrations: readonly { readonly id: string }[] = [],
): Promise<void> {
  const wanted = documentsOf(definitions, migrations);
  const records = db.collection<DeclarationDocument>(declarationsCollection);
  const stored = await records.find({ _id: { $in: wanted.map(({ _id }) => _id) } }).toArray();
  const known = new Map(stored.map((one) => [one._id, one]));
  const changed = wanted.filter(({ _id, schemaVersion, declared }) => {
    const there = known.get(_id);
    return there === undefined || (there.schemaVersion <= schemaVersion && there.declared !== declared);
  });
  if (changed.length === 0) return;
  try {
    await records.bulkWrite(
      changed.map(({ _id, ...replacement }) => ({
        replaceOne: {
          filter: { _id, schemaVersion: { $lte: replacement.schemaVersion } },
          replacement,
          upsert: true,
        },
      })),
      { ordered: false, ...majority },
    );
  } catch (error) {
    // Another process has recorded the same, or a newer declaration, meanwhile.
    if (!isDuplicateKey(error)) throw error;
  }
}

/** Recorded declarations; null if no service has recorded any. */
export async function readDeclarations(db: Db): Promise<Declarations | null> {
  const stored = await db.collection<DeclarationDocument>(declarationsCollection).find().toArray();
  if (stored.every(({ _id }) => _id === copyId)) return null;
  const migrations = stored.find(({ _id }) => _id === migrationsId);
  return {
    collections: stored.filter(({ _id }) => !_id.startsWith('.')).map(collectionOf),
    migrations: migrations ? (JSON.parse(migrations.declared) as readonly string[]) : [],
  };
}

/** Records that a database is a copy of another one, or that it is not. */
export async function recordCopy(db: Db, isCopy: boolean): Promise<void> {
  const records = db.collection<DeclarationDocument>(declarationsCollection);
  const content = { schemaVersion: 1, declared: 'true' };
  if (isCopy) await records.replaceOne({ _id: copyId }, content, { upsert: true, ...majority });
  else await records.deleteOne({ _id: copyId }, majority);
}

/** Returns true for a database that was restored under another name. */
export async function isCopiedDatabase(db: Db): Promise<boolean> {
  const [mark, record] = await Promise.all([
    restoreMarks(db).findOne({ _id: 'restore' }),
    db.collection<DeclarationDocument>(declarationsCollection).findOne({ _id: copyId }),
  ]);
  return mark ? mark.isCopy === true : record !== null;
}

function documentsOf(
  definitions: readonly DeclaredCollection[],
  migrations: readonly { readonly id: string }[],
): readonly DeclarationDocument[] {
  const collections = definitions.map(({ name, schemaVersion, validator, indexes }) => ({
    _id: name,
    schemaVersion,
    declared: JSON.stringify({ validator, indexes }),
  }));
  if (migrations.length === 0) return collections;
  const ids = migrations.map(({ id }) => id);
  return [...collections, { _id: migrationsId, schemaVersion: ids.length, declared: JSON.stringify(ids) }];
}

function collectionOf({ _id, schemaVersion, declared }: DeclarationDocument): DeclaredCollection {
  const { validator, indexes } = JSON.parse(declared) as {
    readonly validator: DocumentSchema;
    readonly indexes: readonly IndexDefinition[];
  };
  return { name: _id, schemaVersion, validator, indexes };
}
