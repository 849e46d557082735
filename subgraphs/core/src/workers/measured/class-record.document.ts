/** Stored form of what was measured for a requirement class. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import { type ClassRecord, maxHosts } from '../../scheduler/requirements/measured.js';

/** Most queues of a class; those whose attempts ended last are kept. */
export const maxQueues = 100;

/** Ended attempts of a class by queue and host. Only classes with preferences have a record. */
export interface ClassRecordDocument extends ClassRecord {
  /** Id of the class. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Removed when no attempt of the class has ended for a while. */
  readonly expiresAt: Date;
  /** Position in the stream of the latest event in the record, which contains all up to it. */
  readonly upTo: string;
}

const text = { bsonType: 'string' };
const count = { bsonType: 'number', minimum: 0 };
const attempts = { finished: count, failed: count, seconds: count };

/** Records of classes. */
export const classRecordsCollection = defineCollection<ClassRecordDocument>({
  name: 'classRecords',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'expiresAt', 'upTo', 'queues', 'hosts'],
    properties: {
      ...baseFields,
      expiresAt: { bsonType: 'date' },
      upTo: text,
      queues: {
        bsonType: 'array',
        maxItems: maxQueues,
        items: {
          bsonType: 'object',
          required: ['queue', 'site', 'finished', 'failed', 'seconds'],
          additionalProperties: false,
          properties: { queue: text, site: text, ...attempts },
        },
      },
      hosts: {
        bsonType: 'array',
        maxItems: maxHosts,
        items: {
          bsonType: 'object',
          required: ['queue', 'host', 'finished', 'failed', 'seconds'],
          additionalProperties: false,
          properties: { queue: text, host: text, ...attempts },
        },
      },
    },
  },
  indexes: [
    {
      name: 'id_updatedAt',
      keys: { _id: 1, updatedAt: 1 },
      why: 'finds the records that have changed, without reading the others',
    },
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes records of classes without new attempts',
    },
  ],
});
