/** Stored form of an experiment. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Registered experiment; it never changes. */
export interface ExperimentDocument {
  /** Name of the experiment. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly title: string;
  readonly description?: string;
  /** Subject that registered it. */
  readonly registeredBy: string;
}

/** Experiments. There are few, so they are read as a whole. */
export const experimentsCollection = defineCollection<ExperimentDocument>({
  name: 'experiments',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'title', 'registeredBy'],
    properties: {
      _id: { bsonType: 'string', pattern: '^[a-z][a-z0-9-]{0,30}$' },
      ...baseFields,
      title: { bsonType: 'string', minLength: 1, maxLength: 100 },
      description: { bsonType: 'string', maxLength: 500 },
      registeredBy: { bsonType: 'string' },
    },
  },
});
