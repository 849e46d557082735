import type { Db, Document } from 'mongodb';
import type { DeclaredCollection } from './declarations.js';
import { canonical, canonicalIndex, type Drift, strictRules } from './ensure-collections.js';

/** Differences between a database and declarations; changes nothing. Missing collections are differences. */
export async function findDrift(db: Db, declared: readonly DeclaredCollection[]): Promise<readonly Drift[]> {
  const listed = await db.listCollections({}, { nameOnly: false }).toArray();
  const stored = new Map(listed.map((info) => [info.name, (info as { options?: Document }).options ?? {}]));
  const found = await Promise.all(
    declared.map(async (definition) => {
      const options = stored.get(definition.name);
      if (!options) return [{ collection: definition.name, reason: 'the collection does not exist' }];
      return [...validatorDrift(definition, options), ...(await indexDrift(db, definition))];
    }),
  );
  return found.flat();
}

function validatorDrift({ name, validator }: DeclaredCollection, options: Document): readonly Drift[] {
  const { validator: stored, validationLevel, validationAction } = options;
  const isDeclared =
    canonical({ validator: stored, validationLevel, validationAction }) === canonical(strictRules(validator));
  return isDeclared ? [] : [{ collection: name, reason: 'the validator differs from the declared one' }];
}

async function indexDrift(db: Db, { name, indexes }: DeclaredCollection): Promise<readonly Drift[]> {
  const stored = new Map((await db.collection(name).indexes()).map((index) => [index.name, index]));
  stored.delete('_id_');
  const missing = indexes.flatMap((index): Drift[] => {
    const existing = stored.get(index.name);
    stored.delete(index.name);
    const declared = canonicalIndex({ key: index.keys, ...index.options });
    if (!existing)
      return [{ collection: name, index: index.name, reason: `the index is missing: ${declared}` }];
    const is = canonicalIndex(existing);
    return is === declared
      ? []
      : [{ collection: name, index: index.name, reason: `the index is ${is}, declared is ${declared}` }];
  });
  const undeclared = [...stored.keys()].map((index) => ({
    collection: name,
    index: String(index),
    reason: 'the index is not declared',
  }));
  return [...missing, ...undeclared];
}
