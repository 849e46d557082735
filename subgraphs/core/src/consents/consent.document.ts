/** Stored form of a person's consent. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Consent of a person that the service of an experiment submits jobs and tasks that belong to the person. */
export interface ConsentDocument {
  /** `<experiment>/<subject>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly experiment: string;
  readonly subject: string;
  readonly expiresAt: Date;
  /** Names of secrets of the person that jobs of the service may use; absent for none. */
  readonly secretNames?: readonly string[];
}

/** Consents. The store deletes ended ones some minutes later; until then their time decides. */
export const consentsCollection = defineCollection<ConsentDocument>({
  name: 'consents',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'experiment', 'subject', 'expiresAt'],
    properties: {
      ...baseFields,
      experiment: { bsonType: 'string' },
      subject: { bsonType: 'string' },
      expiresAt: { bsonType: 'date' },
      secretNames: { bsonType: 'array', items: { bsonType: 'string' } },
    },
  },
  indexes: [
    { name: 'subject_idx', keys: { subject: 1, experiment: 1 }, why: 'the consents of one person' },
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'none: consents are deleted when they end',
    },
  ],
});
