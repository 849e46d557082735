/** Stored form of file policies. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Events from which the time is counted for which a policy keeps files. */
export const keptSince = ['ADDED', 'LAST_USED'] as const;

/** One of {@link keptSince}. */
export type KeptSince = (typeof keptSince)[number];

/** Rules of a policy: which copies are deleted. All conditions must hold. */
export interface FilePolicyRules {
  /** Only files of this dataset. */
  readonly datasetId?: string;
  /** Only files of datasets whose names begin with it. */
  readonly namePrefix?: string;
  /** Only copies in this storage. */
  readonly storageName?: string;
  /** Days for which files are kept. */
  readonly keepDays: number;
  readonly since: KeptSince;
  /** Number of the newest datasets whose files are kept. */
  readonly keepNewest: number;
  /** Copies of each file that stay AVAILABLE. */
  readonly minReplicas: number;
  /** Days for which the copies can be restored. */
  readonly restoreDays: number;
}

/** A version of a policy. */
export interface FilePolicyVersion {
  readonly version: number;
  /** Subject that wrote it. */
  readonly author: string;
  readonly at: Date;
  readonly comment?: string;
  readonly isEnabled: boolean;
  readonly rules: FilePolicyRules;
}

/** Result of the last application of a policy. */
export interface FilePolicyRun {
  readonly at: Date;
  readonly copies: number;
  readonly bytes: number;
  readonly keptFiles: number;
}

/** A policy of an experiment about the lifetime of files. */
export interface FilePolicyDocument {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly experiment: string;
  /** Name, unique in the experiment. */
  readonly name: string;
  /** Versions, the newest first; the first one counts. */
  readonly versions: readonly FilePolicyVersion[];
  /** Time at which it is applied next; absent for a policy that is not enabled. */
  readonly nextAt?: Date;
  readonly lastRun?: FilePolicyRun;
}

/** Version of the stored form. */
export const filePolicySchemaVersion = 1;
/** Most versions that are kept. */
export const keptVersions = 100;

const text = { bsonType: 'string' };

/** File policies of all experiments. */
export const filePoliciesCollection = defineCollection<FilePolicyDocument>({
  name: 'filePolicies',
  schemaVersion: filePolicySchemaVersion,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'experiment', 'name', 'versions'],
    properties: {
      ...baseFields,
      experiment: text,
      name: text,
      versions: {
        bsonType: 'array',
        minItems: 1,
        maxItems: keptVersions,
        items: { bsonType: 'object', required: ['version', 'author', 'at', 'isEnabled', 'rules'] },
      },
      nextAt: { bsonType: 'date' },
      lastRun: { bsonType: 'object' },
    },
  },
  indexes: [
    {
      name: 'experiment_name_uq',
      keys: { experiment: 1, name: 1 },
      options: { unique: true },
      why: 'a policy by its name; the policies of an experiment',
    },
    {
      name: 'nextAt_idx',
      keys: { nextAt: 1 },
      options: { partialFilterExpression: { nextAt: { $exists: true } } },
      why: 'policies to apply next, for the leader',
    },
  ],
});
