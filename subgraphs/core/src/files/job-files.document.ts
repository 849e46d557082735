/** Stored form of the files of a job. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Storages in which the attempts of a job may have left files. */
export interface JobFilesDocument {
  /** Id of the job. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Names of the storages. */
  readonly storages: readonly string[];
  /** Beginning of the keys of the files. */
  readonly prefix: string;
  /** False once only the outputs of the job are left. */
  readonly isOpen: boolean;
  /** Time at which the files are looked at next. */
  readonly dueAt: Date;
}

/** Version of the stored form. */
export const jobFilesSchemaVersion = 1;

/** Files of jobs. Written before the first address of a file is given. */
export const jobFilesCollection = defineCollection<JobFilesDocument>({
  name: 'jobFiles',
  schemaVersion: jobFilesSchemaVersion,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'storages', 'prefix', 'isOpen', 'dueAt'],
    properties: {
      _id: { bsonType: 'string' },
      ...baseFields,
      storages: { bsonType: 'array', maxItems: 100, items: { bsonType: 'string' } },
      prefix: { bsonType: 'string', maxLength: 1024 },
      isOpen: { bsonType: 'bool' },
      dueAt: { bsonType: 'date' },
    },
  },
  indexes: [
    { name: 'dueAt_idx', keys: { dueAt: 1 }, why: 'files to look at next, for the leader' },
    {
      name: 'storages_isOpen_idx',
      keys: { storages: 1, isOpen: 1 },
      why: 'jobs that may still write to a storage, before its removal',
    },
  ],
});
