/** Stored document of the result of a check. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { Finding, SchemaChange } from '@rhizome/schema';
import { type ChangeCounts, changesValidator, mostChanges } from './schema-version.document.js';

/** A check, with or without an attempt to publish. */
export interface SchemaCheckDocument {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly subgraph: string;
  readonly passed: boolean;
  /** The version it was checked against; 0 if nothing was live. */
  readonly againstVersion: number;
  readonly digest: string;
  readonly findings: readonly Finding[];
  readonly changes: readonly SchemaChange[];
  readonly changeCounts: ChangeCounts;
  readonly checkedBy: string;
  /** The version it became. */
  readonly publishedAs: number | null;
}

const text = { bsonType: 'string' };

/** Checks of the last half year. */
export const schemaChecksCollection = defineCollection<SchemaCheckDocument>({
  name: 'schemaChecks',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'subgraph',
      'passed',
      'againstVersion',
      'digest',
      'checkedBy',
    ],
    properties: {
      ...baseFields,
      subgraph: text,
      passed: { bsonType: 'bool' },
      againstVersion: { bsonType: 'int', minimum: 0 },
      digest: text,
      findings: {
        bsonType: 'array',
        maxItems: mostChanges,
        items: {
          bsonType: 'object',
          required: ['rule', 'where', 'message', 'cure'],
          properties: { rule: text, where: text, message: text, cure: text },
        },
      },
      ...changesValidator,
      checkedBy: text,
      publishedAs: { bsonType: ['int', 'null'] },
    },
  },
  indexes: [
    {
      name: 'createdAt_ttl',
      keys: { createdAt: 1 },
      options: { expireAfterSeconds: 180 * 86_400 },
      why: 'removes old checks',
    },
    { name: 'subgraph_createdAt_idx', keys: { subgraph: 1, createdAt: -1 }, why: 'the checks of a subgraph' },
  ],
});
