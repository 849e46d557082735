/** Stored enrolments of workers, and the invitations by which they enrol. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** A code by which workers of a queue enrol. */
export interface InvitationDocument {
  /** `inv_…` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly queue: string;
  /** Experiments whose jobs the workers run; `*` for all. */
  readonly experiments: readonly string[];
  readonly codeDigest: string;
  readonly uses: number;
  readonly used: number;
  /** Addresses from which it may be used, as CIDR; null for all. */
  readonly netblock: string | null;
  readonly expiresAt: Date;
  readonly createdBy: string;
}

/** States of an enrolment. */
export const enrolmentStates = ['PENDING', 'APPROVED', 'REFUSED', 'ENDED'] as const;

/** One of {@link enrolmentStates}. */
export type EnrolmentState = (typeof enrolmentStates)[number];

/** Ways to enrol. */
export const enrolmentWays = ['INVITATION', 'APPROVAL', 'PLATFORM'] as const;

/** One of {@link enrolmentWays}. */
export type EnrolmentWay = (typeof enrolmentWays)[number];

/** A key that may hold the credential of a worker of a queue. */
export interface EnrolmentDocument {
  /** `enr_…` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly queue: string;
  readonly experiments: readonly string[];
  readonly thumbprint: string;
  /** Name of the host, as its pilot states it. */
  readonly host: string;
  /** Address from which the request came. */
  readonly address: string;
  readonly state: EnrolmentState;
  readonly way: EnrolmentWay;
  /** The invitation, or the subject of the platform's token. */
  readonly evidence: string | null;
  /** The present worker; null before the first token. */
  readonly workerId: string | null;
  readonly decidedBy: string | null;
  /** End of a request without a decision, or of the enrolment. */
  readonly expiresAt: Date;
}

const text = { bsonType: 'string' };
const textOrNull = { bsonType: ['string', 'null'] };
const texts = { bsonType: 'array', maxItems: 200, items: text };

/** Invitations. */
export const invitationsCollection = defineCollection<InvitationDocument>({
  name: 'invitations',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'queue',
      'experiments',
      'codeDigest',
      'uses',
      'used',
      'expiresAt',
    ],
    properties: {
      ...baseFields,
      queue: text,
      experiments: texts,
      codeDigest: text,
      uses: { bsonType: 'int', minimum: 1 },
      used: { bsonType: 'int', minimum: 0 },
      netblock: textOrNull,
      expiresAt: { bsonType: 'date' },
      createdBy: text,
    },
  },
  indexes: [
    {
      name: 'codeDigest_uq',
      keys: { codeDigest: 1 },
      options: { unique: true },
      why: 'the invitation of a code',
    },
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes invitations that have ended',
    },
  ],
});

/** Enrolments. */
export const enrolmentsCollection = defineCollection<EnrolmentDocument>({
  name: 'enrolments',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'queue',
      'experiments',
      'thumbprint',
      'host',
      'address',
      'state',
      'way',
      'expiresAt',
    ],
    properties: {
      ...baseFields,
      queue: text,
      experiments: texts,
      thumbprint: text,
      host: { bsonType: 'string', maxLength: 255 },
      address: text,
      state: { enum: [...enrolmentStates] },
      way: { enum: [...enrolmentWays] },
      evidence: textOrNull,
      workerId: textOrNull,
      decidedBy: textOrNull,
      expiresAt: { bsonType: 'date' },
    },
  },
  indexes: [
    {
      name: 'thumbprint_queue_uq',
      keys: { thumbprint: 1, queue: 1 },
      options: { unique: true },
      why: 'one enrolment of a key in a queue',
    },
    {
      name: 'queue_createdAt_idx',
      keys: { queue: 1, createdAt: -1, _id: -1 },
      why: 'the enrolments of some queues, the newest first',
    },
    { name: 'state_address_idx', keys: { state: 1, address: 1 }, why: 'counts requests without a decision' },
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes requests and enrolments that have ended',
    },
  ],
});
