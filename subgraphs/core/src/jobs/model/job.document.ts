import { defineCollection } from '@rhizome/mongo';
import { jobStates } from './job-state.js';
import type { JobDocument } from './job.types.js';

/** Version of the stored form of a job. */
export const jobSchemaVersion = 1;

const state = { enum: [...jobStates] };
const count = { bsonType: 'int', minimum: 0 };
/**
 * Fields without a type rule: only typed code writes them. The server checks every rule at each transition;
 * thirty more types would slow transitions by a fifth.
 */
const known = {};

/**
 * Jobs. Unknown fields are refused. Fields that transition guards depend on have a type rule; the others are
 * written only by the submit and the transition writer. Every index slows each transition by about 5 %,
 * whether or not its fields change, so look-ups by a single value share the index of `lookup`.
 */
export const jobsCollection = defineCollection<JobDocument>({
  name: 'jobs',
  schemaVersion: jobSchemaVersion,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'experiment',
      'name',
      'owner',
      'share',
      'priority',
      'labels',
      'lookup',
      'requirements',
      'classId',
      'payload',
      'retry',
      'dependsOn',
      'waitingFor',
      'state',
      'attempt',
      'attempts',
      'fence',
      'outputs',
      'last',
      'transitions',
      'stateTimes',
    ],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      createdAt: known,
      updatedAt: known,
      experiment: { bsonType: 'string' },
      name: known,
      owner: known,
      submittedBy: known,
      taskId: known,
      taskIndex: known,
      workflow: known,
      fleet: known,
      share: known,
      priority: { bsonType: 'int', minimum: -1000, maximum: 1000 },
      labels: known,
      lookup: { bsonType: 'array', maxItems: 1100 },
      requirements: known,
      classId: { bsonType: 'string' },
      generation: known,
      payload: known,
      retry: known,
      dependsOn: known,
      waitingFor: { bsonType: 'array', maxItems: 1000 },
      state,
      hold: known,
      notBefore: known,
      avoid: known,
      attempt: count,
      attempts: { bsonType: 'array', maxItems: 20 },
      plannedEnds: known,
      uncountedEnds: known,
      fence: { bsonType: 'number', minimum: 0 },
      workerId: known,
      queueId: known,
      queue: known,
      gpu: known,
      exitCode: known,
      error: known,
      metrics: known,
      outputs: known,
      last: { bsonType: 'object' },
      transitions: { bsonType: 'array', maxItems: 64 },
      stateTimes: known,
      retryOf: known,
      retriedBy: known,
    },
  },
  indexes: [
    {
      name: 'experiment_idx',
      keys: { experiment: 1, _id: 1 },
      why: 'jobs of experiments in any state, the most frequent query; ordered by id through a merge of one scan per experiment',
    },
    {
      name: 'experiment_state_idx',
      keys: { experiment: 1, state: 1, _id: 1 },
      why: 'jobs by state and experiment; ordered by id through a merge of one scan per pair',
    },
    {
      name: 'taskId_state_idx',
      keys: { taskId: 1, state: 1, _id: 1 },
      options: { partialFilterExpression: { taskId: { $exists: true } } },
      why: 'jobs of a task by state and position; number of jobs of a task by state',
    },
    {
      name: 'queueId_state_idx',
      keys: { queueId: 1, state: 1, _id: 1 },
      options: { partialFilterExpression: { queueId: { $exists: true } } },
      why: 'jobs of a queue by state',
    },
    {
      name: 'uploadId_state_idx',
      keys: { 'payload.uploadId': 1, state: 1 },
      options: { partialFilterExpression: { 'payload.uploadId': { $exists: true } } },
      why: 'live jobs that use an upload, before it is removed',
    },
    {
      name: 'ready_idx',
      keys: { classId: 1, share: 1, priority: -1, _id: 1 },
      options: { partialFilterExpression: { state: 'ACTIVATED' } },
      why: 'next ready jobs of a requirement class and share, for the scheduler',
    },
    {
      name: 'lookup_idx',
      keys: { lookup: 1, _id: 1 },
      why: 'jobs by owner, share or label; children of a parent; retried jobs of a task; expired backoffs',
    },
  ],
});

/** Fields of an index of jobs that queries are pinned to. */
export const jobIndex = {
  experiment: 'experiment_idx',
  experimentState: 'experiment_state_idx',
  task: 'taskId_state_idx',
  queue: 'queueId_state_idx',
  upload: 'uploadId_state_idx',
  lookup: 'lookup_idx',
  id: '_id_',
} as const;
