import { defineCollection } from '@rhizome/mongo';
import { jobStates } from './job-state.js';
import type { JobDocument } from './job.types.js';

/** Version of the stored shape of a job. */
export const jobSchemaVersion = 1;

const state = { enum: [...jobStates] };
const count = { bsonType: 'int', minimum: 0 };
/** Known, and written by typed code alone. The server looks at every rule at each transition: thirty types more would cost a fifth of it. */
const known = {};

/**
 * Jobs. Unknown fields are refused, and what the guards of transitions hang on has its type; the rest is written by the submit and by the
 * transition writer alone. Every index costs each transition a twentieth, whether or not its fields change: what only has to be found by
 * one value shares the index of `lookup`.
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
      share: known,
      priority: { bsonType: 'int', minimum: -1000, maximum: 1000 },
      labels: known,
      lookup: { bsonType: 'array', maxItems: 1100 },
      requirements: known,
      classId: { bsonType: 'string' },
      payload: known,
      retry: known,
      dependsOn: known,
      waitingFor: { bsonType: 'array', maxItems: 1000 },
      state,
      hold: known,
      notBefore: known,
      attempt: count,
      attempts: { bsonType: 'array', maxItems: 20 },
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
      why: 'jobs of experiments in whatever state, by far the most asked for; ordered by id through a merge of one scan for each',
    },
    {
      name: 'experiment_state_idx',
      keys: { experiment: 1, state: 1, _id: 1 },
      why: 'jobs of states, of experiments or all; ordered by id through a merge of one scan for each pair',
    },
    {
      name: 'taskId_state_idx',
      keys: { taskId: 1, state: 1, _id: 1 },
      options: { partialFilterExpression: { taskId: { $exists: true } } },
      why: 'jobs of a task, of states, by position; numbers of jobs of a task by state',
    },
    {
      name: 'queueId_state_idx',
      keys: { queueId: 1, state: 1, _id: 1 },
      options: { partialFilterExpression: { queueId: { $exists: true } } },
      why: 'jobs of a queue, of states',
    },
    {
      name: 'ready_idx',
      keys: { classId: 1, share: 1, priority: -1, _id: 1 },
      options: { partialFilterExpression: { state: 'ACTIVATED' } },
      why: 'the next ready jobs of a requirement class and share, for the broker',
    },
    {
      name: 'lookup_idx',
      keys: { lookup: 1, _id: 1 },
      why: 'jobs of an owner, of a share, with a label; children of a parent; repeated jobs of a task; backoffs that are due',
    },
  ],
});

/** Fields of an index of jobs that queries are pinned to. */
export const jobIndex = {
  experiment: 'experiment_idx',
  experimentState: 'experiment_state_idx',
  task: 'taskId_state_idx',
  queue: 'queueId_state_idx',
  lookup: 'lookup_idx',
  id: '_id_',
} as const;
