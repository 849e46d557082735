/** Stored form of an experiment. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { ContinuityPolicy } from '../shared/continuity.js';

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
  /** Defaults and bounds for the continuity of its jobs; absent if there are none. */
  readonly continuity?: ContinuityPolicy;
  /** Subject that registered it. */
  readonly registeredBy: string;
}

/** Version of the stored form; version 2 added the continuity of jobs. */
export const experimentSchemaVersion = 2;

/** Experiments. There are few, so they are read as a whole. */
export const experimentsCollection = defineCollection<ExperimentDocument>({
  name: 'experiments',
  schemaVersion: experimentSchemaVersion,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'title', 'registeredBy'],
    properties: {
      _id: { bsonType: 'string', pattern: '^[a-z][a-z0-9-]{0,30}$' },
      ...baseFields,
      title: { bsonType: 'string', minLength: 1, maxLength: 100 },
      description: { bsonType: 'string', maxLength: 500 },
      continuity: { bsonType: 'object' },
      registeredBy: { bsonType: 'string' },
    },
  },
});
