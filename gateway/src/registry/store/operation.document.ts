/** Stored document of an operation that clients have sent: the operation registry. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** An operation. */
export interface OperationDocument {
  /** SHA-256 of its normalised text, in hex. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  /** Time of the last count. */
  readonly updatedAt: Date;
  readonly name: string | null;
  readonly kind: 'query' | 'mutation' | 'subscription';
  /** Normalised text, cut at {@link longestText}. */
  readonly text: string;
  readonly requests: number;
  /** Clients that have sent it, as `name version`: the first {@link mostClients}. */
  readonly clients: readonly string[];
}

/** Maximum number of characters of a stored operation. */
export const longestText = 8_000;
/** Maximum number of clients stored with an operation. */
export const mostClients = 50;
/**
 * Maximum number of stored operations; further ones are not added, but their fields are counted all the same.
 */
export const mostOperations = 10_000;

const text = (maxLength: number) => ({ bsonType: 'string', maxLength });

/** Operations of the last hundred days. */
export const operationsCollection = defineCollection<OperationDocument>({
  name: 'operations',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'kind', 'text', 'requests', 'clients'],
    properties: {
      _id: { bsonType: 'string', pattern: '^[0-9a-f]{64}$' },
      ...baseFields,
      revision: { bsonType: ['int', 'long'], minimum: 1 },
      name: { bsonType: ['string', 'null'] },
      kind: { enum: ['query', 'mutation', 'subscription'] },
      text: text(longestText),
      requests: { bsonType: ['int', 'long', 'double'], minimum: 0 },
      clients: { bsonType: 'array', maxItems: mostClients, items: text(130) },
    },
  },
  indexes: [
    {
      name: 'updatedAt_ttl',
      keys: { updatedAt: 1 },
      options: { expireAfterSeconds: 100 * 86_400 },
      why: 'removes operations that are no longer sent',
    },
  ],
});
