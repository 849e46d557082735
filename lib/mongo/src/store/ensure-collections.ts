import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { MongoServerError, type Db, type Document, type IndexDescriptionInfo } from 'mongodb';
import type { CollectionDefinition, IndexDefinition } from './collection.js';
import { completeRestore, restoreMarkCollection } from './restore-mark.js';

/** One difference between the database and the declarations. */
export interface Drift {
  readonly collection: string;
  /** Name of the index; absent when the validator differs. */
  readonly index?: string;
  /** In words: what is there, what is declared. */
  readonly reason: string;
}

/** Changes made and differences found by `ensureCollections`. */
export interface EnsureReport {
  /** Collections that were made. */
  readonly created: readonly string[];
  /** Collections whose validator was brought to a newer version. */
  readonly updated: readonly string[];
  /** Indexes that were built, as `collection.index`. */
  readonly indexed: readonly string[];
  /** Differences that were left alone. */
  readonly drift: readonly Drift[];
}

/** Options of `ensureCollections`. */
export interface EnsureOptions {
  /**
   * Bring what differs to the declaration: validators of the same version, indexes with other keys or
   * options.
   */
  readonly repair?: boolean;
  /** Warned of each difference that is left alone. */
  readonly log?: Logger;
}

/** A declaration, of whatever type its documents are. */
type Declared = Omit<CollectionDefinition, 'document'>;

type Report = { created: string[]; updated: string[]; indexed: string[]; drift: Drift[] };

/**
 * Makes collections, validators and indexes as declared; harmless when repeated and when several processes
 * start at once. A validator of an older version is replaced. Anything else that differs is drift: reported,
 * and mended with `repair` only (undeclared indexes never: somebody made them on purpose). A new collection
 * costs two commands, one that is as declared costs one; collections are worked on at the same time.
 * @throws DomainError RESTORE_UNFINISHED while the database is being restored
 */
export async function ensureCollections(
  db: Db,
  definitions: readonly Declared[],
  options: EnsureOptions = {},
): Promise<EnsureReport> {
  const stored = await storedOptions(
    db,
    definitions.map(({ name }) => name),
  );
  const reports = await Promise.all(
    definitions.map((definition) => ensure(db, definition, stored.get(definition.name), options)),
  );
  const report = {
    created: reports.flatMap(({ created }) => created),
    updated: reports.flatMap(({ updated }) => updated),
    indexed: reports.flatMap(({ indexed }) => indexed),
    drift: reports.flatMap(({ drift }) => drift),
  };
  for (const drift of report.drift)
    options.log?.warn({ ...drift }, 'the database differs from its declaration');
  return report;
}

/** Options of the collections that exist, by name. */
async function storedOptions(db: Db, names: readonly string[]): Promise<ReadonlyMap<string, Document>> {
  // The mark of a restore is listed with them, so that it costs no command of its own.
  const listed = { name: { $in: [...names, restoreMarkCollection] } };
  const found = await db.listCollections(listed, { nameOnly: false }).toArray();
  if (found.some(({ name }) => name === restoreMarkCollection)) await completeRestore(db);
  return new Map(found.map((info) => [info.name, (info as { options?: Document }).options ?? {}]));
}

async function ensure(
  db: Db,
  definition: Declared,
  stored: Document | undefined,
  options: EnsureOptions,
): Promise<Report> {
  const report: Report = { created: [], updated: [], indexed: [], drift: [] };
  const isNew = await ensureValidator(db, definition, stored, options, report);
  await ensureIndexes(db, definition, isNew, options, report);
  return report;
}

/** @throws DomainError COLLECTION_DRIFT when a report has differences. */
export function assertNoDrift({ drift }: EnsureReport): void {
  if (drift.length === 0) return;
  const text = drift.map((d) => `  - ${d.collection}${d.index ? `.${d.index}` : ''}: ${d.reason}`).join('\n');
  throw new DomainError('COLLECTION_DRIFT', `the database differs from its declarations:\n${text}`, {
    drift,
  });
}

/** @returns true if this call created the collection */
async function ensureValidator(
  db: Db,
  definition: Declared,
  listed: Document | undefined,
  options: EnsureOptions,
  report: Report,
): Promise<boolean> {
  const { name, schemaVersion, validator } = definition;
  const strict = strictRules(validator);
  if (listed === undefined && (await createIfAbsent(db, name, strict))) {
    report.created.push(name);
    return true;
  }
  // Another process created it after the listing.
  const stored = listed ?? (await storedOptions(db, [name])).get(name) ?? {};
  const there = {
    validator: stored['validator'],
    validationLevel: stored['validationLevel'],
    validationAction: stored['validationAction'],
  };
  if (canonical(there) === canonical(strict)) return false;
  const version = storedVersion(stored);
  if (version !== undefined && version > schemaVersion) {
    report.drift.push({
      collection: name,
      reason: `the validator is version ${version}, this process declares ${schemaVersion}`,
    });
  } else if (version === schemaVersion && options.repair !== true) {
    report.drift.push({
      collection: name,
      reason: `the validator of version ${version} differs from the declared one of the same version`,
    });
  } else {
    await db.command({ collMod: name, ...strict });
    report.updated.push(name);
  }
  return false;
}

/** Options of a collection whose validator refuses what it does not permit. */
export function strictRules(validator: Document) {
  return {
    validator: { $jsonSchema: validator },
    validationLevel: 'strict',
    validationAction: 'error',
  } as const;
}

async function createIfAbsent(db: Db, name: string, options: Document): Promise<boolean> {
  try {
    await db.createCollection(name, options);
    return true;
  } catch (error) {
    if (error instanceof MongoServerError && error.codeName === 'NamespaceExists') return false;
    throw error;
  }
}

/** The version that `defineCollection` wrote into the title; a validator without one is older than all. */
function storedVersion(stored: Document): number | undefined {
  const title = (stored as { validator?: { $jsonSchema?: { title?: string } } }).validator?.$jsonSchema
    ?.title;
  const version = / v(\d+)$/.exec(title ?? '')?.[1];
  return version === undefined ? undefined : Number(version);
}

async function ensureIndexes(
  db: Db,
  definition: Declared,
  isNew: boolean,
  options: EnsureOptions,
  report: Report,
): Promise<void> {
  const { name, indexes } = definition;
  const stored = isNew ? [] : await db.collection(name).indexes();
  const there = new Map(stored.map((index) => [index.name, index]));
  const missing: IndexDefinition[] = [];
  for (const index of indexes) {
    const existing = there.get(index.name);
    there.delete(index.name);
    const declared = canonicalIndex({ key: index.keys, ...index.options });
    if (existing && canonicalIndex(existing) === declared) continue;
    if (existing && options.repair !== true) {
      report.drift.push({
        collection: name,
        index: index.name,
        reason: `the index is ${canonicalIndex(existing)}, declared is ${declared}`,
      });
      continue;
    }
    if (existing) await db.collection(name).dropIndex(index.name);
    missing.push(index);
  }
  await build(db, name, missing, report);
  there.delete('_id_');
  for (const undeclared of there.keys()) {
    report.drift.push({
      collection: name,
      index: String(undeclared),
      reason: 'the index is in the database and is not declared',
    });
  }
}

/** Builds indexes in one command; in one for each if one of them conflicts with an index that exists. */
async function build(
  db: Db,
  name: string,
  missing: readonly IndexDefinition[],
  report: Report,
): Promise<void> {
  if (missing.length === 0) return;
  try {
    await db
      .collection(name)
      .createIndexes(
        missing.map((index) => ({ ...index.options, key: { ...index.keys }, name: index.name })),
      );
    report.indexed.push(...missing.map((index) => `${name}.${index.name}`));
  } catch (error) {
    // The same keys under another name: that index is undeclared, and dropping it is not for a start-up to
    // decide.
    if (!(error instanceof MongoServerError) || error.codeName !== 'IndexOptionsConflict') throw error;
    if (missing.length > 1) {
      for (const index of missing) await build(db, name, [index], report);
      return;
    }
    report.drift.push({
      collection: name,
      index: missing[0]?.name ?? '',
      reason: `the index cannot be built: ${error.message}`,
    });
  }
}

const indexOptions = [
  'unique',
  'sparse',
  'partialFilterExpression',
  'expireAfterSeconds',
  'collation',
] as const;

/**
 * Keys in their order, options in ours. The server spells a collation out, so only its locale and strength
 * count.
 */
export function canonicalIndex(index: Partial<IndexDescriptionInfo> & { key?: unknown }): string {
  const options = indexOptions.flatMap((option) => {
    const value: unknown = (index as Document)[option];
    if (value === undefined || value === false) return [];
    if (option !== 'collation') return [`${option}: ${canonical(value)}`];
    const { locale, strength = 3 } = value as { locale?: string; strength?: number };
    return [`collation: ${locale} ${strength}`];
  });
  return [JSON.stringify(index.key), ...options].join(', ');
}

/** JSON with sorted keys: equal for values that differ in the order of their keys only. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' &&
    inner !== null &&
    !Array.isArray(inner) &&
    Object.getPrototypeOf(inner) === Object.prototype
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
