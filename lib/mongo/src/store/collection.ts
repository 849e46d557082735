import type { Collection, CreateIndexesOptions, Db, Document, IndexDirection } from 'mongodb';

/** An index, declared with the query that needs it. */
export interface IndexDefinition {
  /**
   * `<fields>_<kind>`: `state_createdAt_idx`, `idempotencyKey_uq`. Unique in its collection, never reused for
   * other keys.
   */
  readonly name: string;
  /** Fields in order. */
  readonly keys: Readonly<Record<string, IndexDirection>>;
  readonly options?: Pick<
    CreateIndexesOptions,
    'unique' | 'sparse' | 'partialFilterExpression' | 'expireAfterSeconds' | 'collation'
  >;
  /** The query that it serves, in words. */
  readonly why: string;
}

/** JSON schema of a document as MongoDB checks it. */
export interface DocumentSchema extends Document {
  readonly properties: Readonly<Record<string, Document>>;
  readonly required?: readonly string[];
}

/** Declaration of a collection, with the type of its documents. */
export interface CollectionDefinition<TDoc extends Document = Document> {
  readonly name: string;
  /** Version of the stored shape; grows with each change of the validator. */
  readonly schemaVersion: number;
  /**
   * The complete JSON schema: strict, unknown top-level fields refused, `_id` and `schemaVersion` required.
   */
  readonly validator: DocumentSchema;
  readonly indexes: readonly IndexDefinition[];
  /** Carries the type only. */
  readonly document?: TDoc;
}

/** Options of `defineCollection`. */
export interface CollectionDeclaration {
  readonly name: string;
  readonly schemaVersion: number;
  readonly validator: DocumentSchema;
  readonly indexes?: readonly IndexDefinition[];
}

const wellNamed = /^[a-z][a-zA-Z0-9]*$/;

/**
 * Declares a collection. The validator is completed: unknown top-level fields are refused, `_id` is a string
 * unless said otherwise, and `schemaVersion` is an integer up to the declared one.
 * @throws TypeError for a declaration that contradicts the conventions of this package.
 */
export function defineCollection<TDoc extends Document>(
  declaration: CollectionDeclaration,
): CollectionDefinition<TDoc> {
  const { name, schemaVersion, validator, indexes = [] } = declaration;
  const refuse = (reason: string): never => {
    throw new TypeError(`collection ${name}: ${reason}`);
  };
  if (!wellNamed.test(name)) refuse('its name is not plural lower camel case');
  if (!Number.isInteger(schemaVersion) || schemaVersion < 1)
    refuse(`schemaVersion ${schemaVersion} is not 1 or more`);
  if (validator['additionalProperties'] === true) refuse('unknown top-level fields must be refused');
  checkIndexes(indexes, validator, refuse);
  return Object.freeze({ name, schemaVersion, validator: complete(declaration), indexes });
}

function checkIndexes(
  indexes: readonly IndexDefinition[],
  { properties }: DocumentSchema,
  refuse: (reason: string) => never,
): void {
  const names = new Set<string>();
  for (const { name, keys, why, options } of indexes) {
    if (names.has(name)) refuse(`index ${name} is declared twice`);
    names.add(name);
    if (why.trim() === '') refuse(`index ${name} does not say which query needs it`);
    if (options?.unique === true && !name.endsWith('_uq')) refuse(`unique index ${name} must end with _uq`);
    for (const field of Object.keys(keys)) {
      const top = field.split('.')[0] ?? field;
      if (top !== '_id' && top !== '$**' && !(top in properties))
        refuse(`index ${name} names the unknown field ${field}`);
    }
  }
}

function complete({ name, schemaVersion, validator }: CollectionDeclaration): DocumentSchema {
  const own = {
    _id: { bsonType: 'string' },
    schemaVersion: { bsonType: 'int', minimum: 1, maximum: schemaVersion },
  };
  return {
    ...validator,
    bsonType: 'object',
    // Read back by ensureCollections to detect whether an older or a newer process wrote it.
    title: `${name} v${schemaVersion}`,
    additionalProperties: false,
    properties: { ...own, ...validator.properties },
    required: [...new Set(['_id', 'schemaVersion', ...(validator.required ?? [])])],
  };
}

/** The collection with the type of its documents. */
export function collection<TDoc extends Document>(
  db: Db,
  definition: CollectionDefinition<TDoc>,
): Collection<TDoc> {
  return db.collection<TDoc>(definition.name);
}
