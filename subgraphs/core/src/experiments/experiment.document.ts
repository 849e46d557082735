/** Stored form of an experiment. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { ContinuityPolicy } from '../shared/continuity.js';

/** Settings of an experiment that can change. */
export interface ExperimentSettings {
  readonly title: string;
  readonly description?: string;
  /** Defaults and bounds for the continuity of its jobs; absent if there are none. */
  readonly continuity?: ContinuityPolicy;
}

/** Registered experiment. */
export interface ExperimentDocument extends ExperimentSettings {
  /** Name of the experiment. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Settings of its registration, if they have changed since: a repeated registration states them. */
  readonly registered?: ExperimentSettings;
  /** Subject that registered it. */
  readonly registeredBy: string;
}

/** Version of the stored form; version 2 added the continuity of jobs, version 3 changes. */
export const experimentSchemaVersion = 3;

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
      registered: { bsonType: 'object' },
      registeredBy: { bsonType: 'string' },
    },
  },
});
