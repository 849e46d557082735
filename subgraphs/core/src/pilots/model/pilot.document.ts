import { baseFields, defineCollection } from '@rhizome/mongo';
import { retention } from '../../shared/retention.js';
import { openPilotStates, type PilotDocument, type PilotLedgerDocument, pilotStates } from './pilot.types.js';

const text = { bsonType: 'string', minLength: 1 } as const;
const count = { bsonType: 'number', minimum: 0 } as const;

/** Version of the stored forms. */
export const pilotSchemaVersion = 1;

/** Pilots of all queues. */
export const pilotsCollection = defineCollection<PilotDocument>({
  name: 'pilots',
  schemaVersion: pilotSchemaVersion,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'queueId',
      'executor',
      'batch',
      'number',
      'requestKey',
      'requestDigest',
      'classId',
      'experiment',
      'shape',
      'jobsPerPilot',
      'state',
    ],
    properties: {
      ...baseFields,
      queueId: text,
      executor: text,
      batch: text,
      number: count,
      requestKey: text,
      requestDigest: text,
      classId: text,
      experiment: text,
      shape: text,
      jobsPerPilot: count,
      state: { enum: [...pilotStates] },
      reason: text,
      batchJobId: text,
      isComing: { enum: [true] },
      workerId: text,
    },
  },
  indexes: [
    {
      name: 'queueId_requestKey_idx',
      keys: { queueId: 1, requestKey: 1, number: 1 },
      why: 'the pilots of a repeated request',
    },
    {
      name: 'queueId_state_idx',
      keys: { queueId: 1, state: 1, _id: -1 },
      why: 'pilots of a queue in states, newest first',
    },
    {
      name: 'queueId_coming_idx',
      keys: { queueId: 1, _id: 1 },
      options: { partialFilterExpression: { isComing: true } },
      why: 'pilots whose workers have not been seen',
    },
    {
      name: 'updatedAt_ended_ttl',
      keys: { updatedAt: 1 },
      options: {
        expireAfterSeconds: retention.endedPilot,
        partialFilterExpression: {
          state: {
            $in: pilotStates.filter((state) => !(openPilotStates as readonly string[]).includes(state)),
          },
        },
      },
      why: 'none: pilots are removed 30 days after their end',
    },
  ],
});

/** One document for each queue for which executors request pilots. */
export const pilotLedgersCollection = defineCollection<PilotLedgerDocument>({
  name: 'pilotLedgers',
  schemaVersion: pilotSchemaVersion,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'instance', 'until'],
    properties: {
      ...baseFields,
      instance: text,
      until: { bsonType: 'date' },
      grant: { bsonType: 'object', required: ['batch', 'key', 'digest', 'executor', 'order', 'count'] },
    },
  },
});

/** Collections of pilots. */
export const pilotCollections = [pilotsCollection, pilotLedgersCollection] as const;
