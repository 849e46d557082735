import { defineCollection } from '@rhizome/mongo';
import type { StoredRequirements } from './job.types.js';

/** Requirement classes, one for all jobs with equal normalised requirements. */
export const requirementClassesCollection = defineCollection<RequirementClassDocument>({
  name: 'requirementClasses',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'requirements'],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      createdAt: { bsonType: 'date' },
      requirements: { bsonType: 'object' },
    },
  },
});

/** Stored requirement class: written once, before its first job, and never changed. */
export interface RequirementClassDocument {
  /** {@link classIdOf} of the requirements. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly requirements: StoredRequirements;
}
