/** Stored form of uploads and of their parts. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** A part of an upload, as the client describes it. */
export interface UploadPart {
  readonly sizeBytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** States of an upload. */
export const uploadStates = ['OPEN', 'READY'] as const;

/** One of {@link uploadStates}. */
export type UploadState = (typeof uploadStates)[number];

/** Files of a user for the working folders of jobs. */
export interface UploadDocument {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly experiment: string;
  /** Subject of the owner. */
  readonly owner: string;
  /** Name for people. */
  readonly name: string;
  /** Name of the storage. */
  readonly storage: string;
  /** SHA-256 of the list of parts, in base64url. */
  readonly digest: string;
  readonly state: UploadState;
  readonly fileCount: number;
  readonly partCount: number;
  /** Size of all parts together. */
  readonly sizeBytes: number;
  /** The manifest, followed by the parts of the content in their order. */
  readonly parts: readonly UploadPart[];
  readonly lastUsedAt: Date;
  /** Time from which the upload may be removed, unless a live job uses it. */
  readonly expiresAt: Date;
  /**
   * Time at which the owner removed it: no job can name it any more. It is kept until no job has it that was
   * checked before.
   */
  readonly removedAt?: Date;
}

/** States of a part in a storage. */
export const partStates = ['WANTED', 'STORED', 'REMOVING'] as const;

/** A part in a storage. Uploads of one owner share it. */
export interface UploadPartDocument extends UploadPart {
  /** `STORAGE/KEY`. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly experiment: string;
  readonly owner: string;
  readonly storage: string;
  readonly state: (typeof partStates)[number];
  /** Time at which the leader looks whether an upload refers to the part. */
  readonly dueAt: Date;
  /** Time until which an address for the part may be used. It is not removed before. */
  readonly addressesUntil: Date;
}

/** Version of both stored forms. */
export const uploadSchemaVersion = 1;

/** Largest number of parts of an upload, with the manifest. */
export const mostParts = 1001;

const name = { bsonType: 'string', minLength: 1, maxLength: 255 } as const;
const count = { bsonType: 'number', minimum: 0 } as const;
const date = { bsonType: 'date' } as const;
const sha256 = { bsonType: 'string', minLength: 64, maxLength: 64 } as const;

/** Uploads. */
export const uploadsCollection = defineCollection<UploadDocument>({
  name: 'uploads',
  schemaVersion: uploadSchemaVersion,
  validator: {
    required: [
      ...['revision', 'createdAt', 'updatedAt', 'experiment', 'owner', 'name', 'storage', 'digest'],
      ...['state', 'fileCount', 'partCount', 'sizeBytes', 'parts', 'lastUsedAt', 'expiresAt'],
    ],
    properties: {
      _id: { bsonType: 'string' },
      ...baseFields,
      experiment: name,
      owner: name,
      name,
      storage: name,
      digest: name,
      state: { enum: [...uploadStates] },
      fileCount: count,
      partCount: count,
      sizeBytes: count,
      parts: {
        bsonType: 'array',
        minItems: 1,
        maxItems: mostParts,
        items: { bsonType: 'object', required: ['sizeBytes', 'sha256'] },
      },
      lastUsedAt: date,
      expiresAt: date,
      removedAt: date,
    },
  },
  indexes: [
    {
      name: 'owner_experiment_storage_digest_uq',
      keys: { owner: 1, experiment: 1, storage: 1, digest: 1 },
      options: { unique: true },
      why: 'an upload with the same content; the uploads of an owner',
    },
    {
      name: 'owner_experiment_storage_part_idx',
      keys: { owner: 1, experiment: 1, storage: 1, 'parts.sha256': 1 },
      why: 'an upload that has a part, before the part is removed',
    },
    {
      name: 'experiment_owner_fileCount_idx',
      keys: { experiment: 1, owner: 1, fileCount: 1 },
      why: 'numbers of uploads and files of an owner and of an experiment',
    },
    { name: 'storage_idx', keys: { storage: 1 }, why: 'uploads in a storage, before its removal' },
    { name: 'expiresAt_idx', keys: { expiresAt: 1 }, why: 'uploads to remove, for the leader' },
  ],
});

/** Parts of uploads. Written before the first address for a part is given. */
export const uploadPartsCollection = defineCollection<UploadPartDocument>({
  name: 'uploadParts',
  schemaVersion: uploadSchemaVersion,
  validator: {
    required: [
      ...['revision', 'createdAt', 'updatedAt', 'experiment', 'owner', 'storage', 'sizeBytes', 'sha256'],
      ...['state', 'dueAt', 'addressesUntil'],
    ],
    properties: {
      _id: { bsonType: 'string' },
      ...baseFields,
      experiment: name,
      owner: name,
      storage: name,
      sizeBytes: count,
      sha256,
      state: { enum: [...partStates] },
      dueAt: date,
      addressesUntil: date,
    },
  },
  indexes: [
    {
      name: 'experiment_owner_sizeBytes_idx',
      keys: { experiment: 1, owner: 1, sizeBytes: 1 },
      why: 'size of the parts of an owner and of an experiment',
    },
    { name: 'dueAt_idx', keys: { dueAt: 1 }, why: 'parts to look at next, for the leader' },
  ],
});
