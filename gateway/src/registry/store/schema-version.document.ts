/** Stored document of a version of the graph. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { SchemaChange } from '@rhizome/schema';

/** Origin of a version. */
export type VersionKind = 'PUBLISH' | 'ROLLBACK' | 'WITHDRAWAL' | 'BASELINE';

/** A subgraph in a version. */
export interface VersionSubgraph {
  readonly name: string;
  /** Null for core's. */
  readonly typePrefix: string | null;
  readonly endpoint: string;
  /** Digest of its SDL in canonical spelling, and key of the document with the SDL. */
  readonly digest: string;
  /** The version that introduced this SDL. */
  readonly sinceVersion: number;
  /** Digest of the operations that it offers to agents, and key of the document with them. */
  readonly operationsDigest?: string | undefined;
}

/** Number of changes by severity. */
export interface ChangeCounts {
  readonly breaking: number;
  readonly dangerous: number;
  readonly safe: number;
}

/**
 * A version: written once, never changed. The highest number is live; publishers compete to insert its `_id`.
 */
export interface SchemaVersionDocument {
  /** {@link versionId} of its number. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly number: number;
  readonly kind: VersionKind;
  /** The subgraph that changed; null if several did. */
  readonly subgraph: string | null;
  readonly restoredFrom: number | null;
  readonly publishedBy: string;
  readonly note: string | null;
  readonly acceptedBreaking: boolean;
  /** The first {@link mostChanges}, breaking ones first. */
  readonly changes: readonly SchemaChange[];
  readonly changeCounts: ChangeCounts;
  readonly subgraphs: readonly VersionSubgraph[];
  readonly supergraphSdl: string;
}

/** A version without its largest part. */
export type SchemaVersionHead = Omit<SchemaVersionDocument, 'supergraphSdl'>;

/** Maximum number of changes stored with a version or a check. */
export const mostChanges = 500;
/** Maximum number of subgraphs of a graph. */
const mostSubgraphs = 200;

/** The `_id` of a version, unique for its number. */
export const versionId = (number: number): string => `schemaVersion_${number}`;

const text = { bsonType: 'string' };
const count = { bsonType: 'int', minimum: 0 };

/** Schema of stored changes, which checks have as well. */
export const changesValidator = {
  changes: {
    bsonType: 'array',
    maxItems: mostChanges,
    items: {
      bsonType: 'object',
      required: ['severity', 'kind', 'where', 'message', 'usedAs'],
      properties: {
        severity: { enum: ['BREAKING', 'DANGEROUS', 'SAFE'] },
        kind: text,
        where: text,
        message: text,
        usedAs: { bsonType: 'array', items: text, maxItems: 10 },
      },
    },
  },
  changeCounts: {
    bsonType: 'object',
    required: ['breaking', 'dangerous', 'safe'],
    properties: { breaking: count, dangerous: count, safe: count },
  },
};

/** All versions since the first. None is ever removed: they are the history. */
export const schemaVersionsCollection = defineCollection<SchemaVersionDocument>({
  name: 'schemaVersions',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'number',
      'kind',
      'publishedBy',
      'acceptedBreaking',
      'changes',
      'changeCounts',
      'subgraphs',
      'supergraphSdl',
    ],
    properties: {
      ...baseFields,
      number: { bsonType: 'int', minimum: 1 },
      kind: { enum: ['PUBLISH', 'ROLLBACK', 'WITHDRAWAL', 'BASELINE'] },
      subgraph: { bsonType: ['string', 'null'] },
      restoredFrom: { bsonType: ['int', 'null'] },
      publishedBy: text,
      note: { bsonType: ['string', 'null'], maxLength: 1000 },
      acceptedBreaking: { bsonType: 'bool' },
      ...changesValidator,
      subgraphs: {
        bsonType: 'array',
        maxItems: mostSubgraphs,
        items: {
          bsonType: 'object',
          required: ['name', 'typePrefix', 'endpoint', 'digest', 'sinceVersion'],
          properties: {
            name: text,
            typePrefix: { bsonType: ['string', 'null'] },
            endpoint: text,
            digest: text,
            sinceVersion: { bsonType: 'int', minimum: 1 },
          },
        },
      },
      supergraphSdl: text,
    },
  },
  indexes: [
    {
      name: 'number_uq',
      keys: { number: -1 },
      options: { unique: true },
      why: 'the live version is the one with the highest number; the history is read from there',
    },
  ],
});
