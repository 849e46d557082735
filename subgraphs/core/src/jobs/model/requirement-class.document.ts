import { defineCollection } from '@rhizome/mongo';
import type { RequirementClassDocument } from '../../scheduler/requirements/requirement-class.js';

/** Requirement classes: one for all jobs with equal normalised requirements, written once before its first job. */
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
