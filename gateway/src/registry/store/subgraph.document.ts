/** Stored document of a registered subgraph. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** A subgraph for which schemas may be published. */
export interface SubgraphDocument {
  /** The name. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Prefix of its types; null for core's. */
  readonly typePrefix: string | null;
  readonly endpoint: string;
  /** The subject that registered it or last changed its endpoint. */
  readonly registeredBy: string;
  /** Endpoint that waits for approval, and the subject that requested it. */
  readonly pendingEndpoint?: string;
  readonly pendingBy?: string;
}

/** Registered subgraphs. They are few and always read as a whole. */
export const subgraphsCollection = defineCollection<SubgraphDocument>({
  name: 'subgraphs',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'typePrefix', 'endpoint', 'registeredBy'],
    properties: {
      _id: { bsonType: 'string', pattern: '^[a-z][a-z0-9]{1,30}$' },
      ...baseFields,
      typePrefix: { bsonType: ['string', 'null'], maxLength: 31 },
      endpoint: { bsonType: 'string', minLength: 1, maxLength: 2000 },
      registeredBy: { bsonType: 'string' },
      pendingEndpoint: { bsonType: 'string', minLength: 1, maxLength: 2000 },
      pendingBy: { bsonType: 'string' },
    },
  },
  indexes: [
    {
      name: 'typePrefix_uq',
      keys: { typePrefix: 1 },
      options: { unique: true, partialFilterExpression: { typePrefix: { $type: 'string' } } },
      why: 'unique prefixes',
    },
  ],
});
