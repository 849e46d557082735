import { defineCollection } from '@rhizome/mongo';
import type { StoredRequirements } from './job.types.js';

/** Version of the stored form; version 2 added the expiry. */
export const requirementClassVersion = 2;

/** Requirement classes, one for all jobs with equal normalised requirements. */
export const requirementClassesCollection = defineCollection<RequirementClassDocument>({
  name: 'requirementClasses',
  schemaVersion: requirementClassVersion,
  validator: {
    required: ['revision', 'createdAt', 'requirements'],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      createdAt: { bsonType: 'date' },
      requirements: { bsonType: 'object' },
      expiresAt: { bsonType: 'date' },
    },
  },
  indexes: [
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes classes of tests of hosts after the latest test',
    },
  ],
});

/** Stored requirement class: written before its first job. Its requirements never change. */
export interface RequirementClassDocument {
  /** {@link classIdOf} of the requirements. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly requirements: StoredRequirements;
  /** Only of classes that tests of hosts alone have used: each host has one. */
  readonly expiresAt?: Date;
}
