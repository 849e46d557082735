/** Stored form of a queue. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { ContinuityPolicy } from '../shared/continuity.js';
import type { StoredCreation } from '../shared/idempotency.js';

/** States of a queue. */
export const queueStates = ['ONLINE', 'TEST', 'BROKEROFF', 'PAUSED', 'OFFLINE'] as const;
/** One of {@link queueStates}. */
export type QueueState = (typeof queueStates)[number];

/** Ways to start workers of a queue. */
export const queueExecutors = ['DIRECT', 'SLURM', 'HTCONDOR', 'KUBERNETES'] as const;
/** One of {@link queueExecutors}. */
export type QueueExecutor = (typeof queueExecutors)[number];

/** Isolation that payloads of a queue need. */
export const queueIsolations = ['NONE', 'REQUIRED'] as const;
/** One of {@link queueIsolations}. */
export type QueueIsolation = (typeof queueIsolations)[number];

/** Limits of a queue; an absent one means no limit. */
export interface StoredQueueLimits {
  readonly maxCores?: number;
  readonly maxMemoryMiB?: number;
  readonly maxWalltimeSeconds?: number;
  readonly maxNoticeSeconds?: number;
  readonly maxRunningJobs?: number;
  /** Absent: no job is preempted. */
  readonly maxPreemptionsPerMinute?: number;
  /** True if GPUs may be time-shared; absent means false. */
  readonly gpuSharing?: boolean;
  readonly heartbeatSeconds: number;
  readonly leaseSeconds: number;
  /** Absent means the usual interval. */
  readonly logIntervalMs?: number;
}

/** Limits of the jobs of one experiment that are sent or running in a queue; an absent one means no limit. */
export interface ExperimentLimits {
  readonly experiment: string;
  readonly maxRunningJobs?: number;
  readonly maxCores?: number;
  readonly maxGpus?: number;
}

/** Canary jobs of a queue, with which core tests the queue and its hosts. */
export interface StoredCanary {
  readonly experiment: string;
  /** Path of the share that they are charged to. */
  readonly share: string;
  readonly intervalSeconds: number;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly image?: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly walltimeSeconds: number;
}

/** Stored queue. */
export interface QueueDocument {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly name: string;
  readonly site: string;
  readonly state: QueueState;
  readonly stateReason?: string;
  readonly stateChangedBy: string;
  readonly stateChangedAt: Date;
  /** Names of experiments, sorted; empty admits every experiment. */
  readonly experiments: readonly string[];
  readonly executor: QueueExecutor;
  readonly limits: StoredQueueLimits;
  /** By the name of the experiment; absent if there are none. */
  readonly experimentLimits?: readonly ExperimentLimits[];
  /** Defaults and bounds for jobs while their worker cannot reach core; absent if there are none. */
  readonly continuity?: ContinuityPolicy;
  /** Absent while there are none. */
  readonly canary?: StoredCanary;
  /** Absent means `NONE`. */
  readonly isolation?: QueueIsolation;
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  /** Call that created the queue; kept as long as the queue. */
  readonly creation?: StoredCreation;
}

const limit = { bsonType: 'number', minimum: 1 };
const amount = { bsonType: 'number', minimum: 0 };
const text = { bsonType: 'string' };

/** Version of the stored form; version 3 added limits of experiments, version 4 canary jobs. */
export const queueSchemaVersion = 4;

/** Queues. There are few, so they are read as a whole; callers get pages. */
export const queuesCollection = defineCollection<QueueDocument>({
  name: 'queues',
  schemaVersion: queueSchemaVersion,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'name',
      'site',
      'state',
      'stateChangedBy',
      'stateChangedAt',
      'experiments',
      'executor',
      'limits',
      'labels',
    ],
    properties: {
      ...baseFields,
      name: { bsonType: 'string', pattern: '^[A-Za-z0-9._-]{1,63}$' },
      site: text,
      state: { enum: [...queueStates] },
      stateReason: { bsonType: 'string', maxLength: 500 },
      stateChangedBy: text,
      stateChangedAt: { bsonType: 'date' },
      experiments: { bsonType: 'array', maxItems: 1000, items: text },
      executor: { enum: [...queueExecutors] },
      limits: {
        bsonType: 'object',
        required: ['heartbeatSeconds', 'leaseSeconds'],
        additionalProperties: false,
        properties: {
          maxCores: limit,
          maxMemoryMiB: limit,
          maxWalltimeSeconds: limit,
          maxNoticeSeconds: limit,
          maxRunningJobs: limit,
          maxPreemptionsPerMinute: limit,
          gpuSharing: { bsonType: 'bool' },
          heartbeatSeconds: limit,
          leaseSeconds: limit,
          logIntervalMs: limit,
        },
      },
      experimentLimits: {
        bsonType: 'array',
        maxItems: 1000,
        items: {
          bsonType: 'object',
          required: ['experiment'],
          additionalProperties: false,
          properties: { experiment: text, maxRunningJobs: amount, maxCores: amount, maxGpus: amount },
        },
      },
      continuity: { bsonType: 'object' },
      canary: {
        bsonType: 'object',
        required: ['experiment', 'share', 'intervalSeconds', 'command', 'arguments'],
        additionalProperties: false,
        properties: {
          experiment: text,
          share: text,
          intervalSeconds: limit,
          command: text,
          arguments: { bsonType: 'array', maxItems: 100, items: text },
          image: text,
          cores: limit,
          memoryMiB: limit,
          walltimeSeconds: limit,
        },
      },
      isolation: { enum: [...queueIsolations] },
      labels: { bsonType: 'array', maxItems: 32, items: { bsonType: 'object', required: ['key', 'value'] } },
      creation: { bsonType: 'object', required: ['by', 'key', 'digest'] },
    },
  },
  indexes: [
    {
      name: 'name_uq',
      keys: { name: 1 },
      options: { unique: true },
      why: 'queue by name; pages of queues by name',
    },
    {
      name: 'creation_uq',
      keys: { 'creation.by': 1, 'creation.key': 1 },
      options: { unique: true, partialFilterExpression: { 'creation.key': { $exists: true } } },
      why: 'queue that the call with this key created',
    },
  ],
});
