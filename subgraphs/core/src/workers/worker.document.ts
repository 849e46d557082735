/** Collections of workers, of their leases, and of the lease of the broker. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { BrokerLeaseDocument } from '../scheduler/leader/broker-lease.repository.js';
import { retention } from '../shared/retention.js';
import { endedWorkerStates, type LeaseDocument, type WorkerDocument } from './worker.types.js';

/**
 * Version of the stored shapes of workers and leases. Since 2 they record which report their facts are from,
 * since 3 under the present name. Since 4 a lease that has ended can be revived. Since 5 workers
 * have the id of their batch job.
 */
export const workerSchemaVersion = 5;

const text = { bsonType: 'string' };
const time = { bsonType: 'date' };

/** Most labels, devices and other list entries of a worker. */
export const workerLimits = {
  labels: 64,
  devices: 256,
  runtimes: 32,
  isolation: 8,
  heldJobs: 10_000,
  factSources: 32,
} as const;

/** Collection of workers: one document for each start of an agent. */
export const workersCollection = defineCollection<WorkerDocument>({
  name: 'workers',
  schemaVersion: workerSchemaVersion,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'queueId',
      'queue',
      'name',
      'host',
      'version',
      'state',
      'hardware',
      'labels',
      'devices',
      'registrationKey',
      'registrationDigest',
    ],
    properties: {
      ...baseFields,
      queueId: text,
      queue: text,
      name: text,
      liveName: text,
      host: text,
      version: text,
      state: { enum: ['READY', 'DRAINING', 'UNREACHABLE', 'ENDED', 'LOST'] },
      stateReason: text,
      unreachableSince: time,
      returnedAt: time,
      stateBefore: { enum: ['READY', 'DRAINING'] },
      hardware: { bsonType: 'object' },
      labels: { bsonType: 'array', maxItems: workerLimits.labels },
      devices: { bsonType: 'array', maxItems: workerLimits.devices },
      reportVersions: { bsonType: 'object' },
      endsAt: time,
      batchJobId: text,
      keyThumbprint: text,
      registrationKey: text,
      registrationDigest: text,
      lastSeenAt: time,
      leaseExpiresAt: time,
    },
  },
  indexes: [
    {
      name: 'queueId_liveName_uq',
      keys: { queueId: 1, liveName: 1 },
      options: { unique: true, partialFilterExpression: { liveName: { $exists: true } } },
      why: 'one live worker of a name in a queue',
    },
    {
      name: 'registrationKey_uq',
      keys: { registrationKey: 1 },
      options: { unique: true },
      why: 'the worker of a repeated registration',
    },
    {
      name: 'state_idx',
      keys: { state: 1, _id: -1 },
      why: 'workers in states, newest first; all live workers',
    },
    {
      name: 'queueId_state_idx',
      keys: { queueId: 1, state: 1, _id: -1 },
      why: 'workers of a queue in states, newest first',
    },
    {
      name: 'queueId_batchJobId_idx',
      keys: { queueId: 1, batchJobId: 1 },
      options: { partialFilterExpression: { batchJobId: { $exists: true } } },
      why: 'workers of batch jobs that have ended',
    },
    { name: 'updatedAt_idx', keys: { updatedAt: 1 }, why: 'workers that changed since a time' },
    {
      name: 'updatedAt_ended_ttl',
      keys: { updatedAt: 1 },
      options: {
        expireAfterSeconds: retention.endedWorker,
        partialFilterExpression: { state: { $in: [...endedWorkerStates] } },
      },
      why: 'none: workers and their keys are removed 30 days after their last change, which is their end',
    },
  ],
});

/** Collection of worker leases, apart from the workers: a heartbeat rewrites this small document only. */
export const leasesCollection = defineCollection<LeaseDocument>({
  name: 'leases',
  schemaVersion: workerSchemaVersion,
  validator: {
    required: ['revision', 'queueId', 'createdAt', 'updatedAt', 'expiresAt', 'jobs'],
    properties: {
      ...baseFields,
      queueId: text,
      expiresAt: time,
      jobs: { bsonType: 'array', maxItems: workerLimits.heldJobs },
      deviceUse: { bsonType: 'array', maxItems: workerLimits.devices },
      reportVersions: { bsonType: 'object' },
      lostAt: time,
      lostReason: text,
      dueAt: time,
      until: time,
      isFinal: { bsonType: 'bool' },
      hasEnded: { bsonType: 'bool' },
      hasRestarted: { bsonType: 'bool' },
      retained: { bsonType: 'array', maxItems: workerLimits.heldJobs },
    },
  },
  indexes: [
    { name: 'expiresAt_idx', keys: { expiresAt: 1 }, why: 'leases that have ended' },
    {
      name: 'dueAt_idx',
      keys: { dueAt: 1 },
      options: { partialFilterExpression: { dueAt: { $exists: true } } },
      why: 'leases that have ended, at the time at which something follows',
    },
    {
      name: 'lostAt_idx',
      keys: { lostAt: 1 },
      options: { partialFilterExpression: { lostAt: { $exists: true } } },
      why: 'leases that a process of an earlier version has lost; such a leader requires the index by its name',
    },
    {
      name: 'retained_idx',
      keys: { 'retained.until': 1 },
      options: { partialFilterExpression: { retained: { $exists: true } } },
      why: 'devices of jobs that were given away and whose payloads may still run',
    },
  ],
});

/** Collection with one document: the lease of the broker. */
export const brokerLeaseCollection = defineCollection<BrokerLeaseDocument>({
  name: 'brokerLease',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'holder', 'epoch', 'expiresAt', 'nextFence'],
    properties: {
      ...baseFields,
      revision: { bsonType: 'number', minimum: 1 },
      holder: text,
      url: text,
      epoch: { bsonType: 'number', minimum: 0 },
      expiresAt: time,
      nextFence: { bsonType: 'number', minimum: 0 },
    },
  },
});
