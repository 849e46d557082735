/** Stored form of owners to whose jobs access was granted lately. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Each grant of access writes to the document of the owner, so that concurrent ones count each other. */
export interface AccessOwnerDocument {
  /** `[experiment, owner]` as JSON. */
  readonly _id: string;
  readonly schemaVersion: number;
  /** Without it, writes of the same millisecond would change nothing, and not conflict. */
  readonly revision: number;
  readonly updatedAt: Date;
}

/** Owners to whose jobs access was granted lately. A document is of no use after the grant that wrote it. */
export const accessOwnersCollection = defineCollection<AccessOwnerDocument>({
  name: 'accessOwners',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'updatedAt'],
    properties: { revision: baseFields.revision, updatedAt: baseFields.updatedAt },
  },
  indexes: [
    {
      name: 'updatedAt_ttl',
      keys: { updatedAt: 1 },
      options: { expireAfterSeconds: 86_400 },
      why: 'none: owners are deleted a day after the last grant',
    },
  ],
});
