/** Stored form of a storage. */
import { baseFields, defineCollection } from '@rhizome/mongo';

import { type StorageKind, storageKinds } from '@rhizome/storage';

/** Settings of a storage that can change. */
export interface StorageSettings {
  /** URL of the storage. */
  readonly address: string;
  /** Bucket of an S3 server. */
  readonly bucket?: string;
  /** Region of an S3 server. */
  readonly region?: string;
  /** Beginning of all keys in the bucket. */
  readonly prefix?: string;
  /** URL of the same folder by WebDAV, for a storage of XRootD. */
  readonly webAddress?: string;
  /** Origins that get the credential when a WebDAV server redirects to them. */
  readonly trustedOrigins?: readonly string[];
  /** Name of the credential; absent for a storage that asks for none. */
  readonly credential?: string;
  /** Names of experiments, sorted; empty means all. */
  readonly experiments: readonly string[];
  /** Names of queues, sorted; empty means all. */
  readonly queues: readonly string[];
  /** Site that is near to it. */
  readonly site?: string;
  /** True if its experiments store the outputs of their jobs in it. */
  readonly isDefault: boolean;
  /** Beginnings of keys that all members of its experiments may read; each ends with `/`. */
  readonly sharedPrefixes: readonly string[];
  /** Largest output, in MiB; absent for no limit. */
  readonly maxFileMiB?: number;
}

/** A named place for files. */
export interface StorageDocument extends StorageSettings {
  /** Its name, which never changes. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly provider: StorageKind;
  readonly createdBy: string;
  /** Set once it is removed. The document stays, so that no process takes an old revision for a new one. */
  readonly removedAt?: Date;
}

/** Version of the stored form. */
export const storageSchemaVersion = 1;

const text = { bsonType: 'string' };

/** Storages. There are few, so they are read as a whole. */
export const storagesCollection = defineCollection<StorageDocument>({
  name: 'storages',
  schemaVersion: storageSchemaVersion,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'provider',
      'address',
      'experiments',
      'queues',
      'isDefault',
      'sharedPrefixes',
      'createdBy',
    ],
    properties: {
      _id: { bsonType: 'string', pattern: '^[a-z][a-z0-9-]{0,30}$' },
      ...baseFields,
      provider: { enum: [...storageKinds] },
      address: { bsonType: 'string', maxLength: 1024 },
      bucket: { bsonType: 'string', maxLength: 63 },
      region: { bsonType: 'string', maxLength: 63 },
      prefix: { bsonType: 'string', maxLength: 255 },
      webAddress: { bsonType: 'string', maxLength: 1024 },
      trustedOrigins: { bsonType: 'array', maxItems: 20, items: text },
      credential: { bsonType: 'string', maxLength: 63 },
      experiments: { bsonType: 'array', maxItems: 1000, items: text },
      queues: { bsonType: 'array', maxItems: 1000, items: text },
      site: { bsonType: 'string', maxLength: 255 },
      isDefault: { bsonType: 'bool' },
      sharedPrefixes: { bsonType: 'array', maxItems: 20, items: text },
      maxFileMiB: { bsonType: 'number', minimum: 1 },
      createdBy: text,
      removedAt: { bsonType: 'date' },
    },
  },
});
