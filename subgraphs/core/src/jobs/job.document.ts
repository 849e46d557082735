import { defineCollection } from '@rhizome/mongo';
import { jobStates } from './job-state.js';
import type { JobDocument } from './job.types.js';

/** Version of the stored shape of a job. */
export const jobSchemaVersion = 1;

const text = { bsonType: 'string' };
const count = { bsonType: 'int', minimum: 0 };
const time = { bsonType: 'date' };
const state = { enum: [...jobStates] };
const object = { bsonType: 'object' };
const list = (items: object, maxItems: number) => ({ bsonType: 'array', items, maxItems });

/**
 * Jobs. The validator is strict at the top and light below: it runs at each transition, and what lies deeper is written by the transition
 * writer and the submit alone.
 */
export const jobsCollection = defineCollection<JobDocument>({
  name: 'jobs',
  schemaVersion: jobSchemaVersion,
  validator: {
    required: [
      'revision', 'createdAt', 'updatedAt', 'experiment', 'name', 'owner', 'share', 'priority', 'labels', 'lookup', 'requirements',
      'classId', 'payload', 'retry', 'dependsOn', 'waitingFor', 'state', 'attempt', 'attempts', 'fence', 'outputs', 'last', 'transitions',
      'stateTimes',
    ],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      createdAt: time,
      updatedAt: time,
      experiment: text,
      name: text,
      owner: text,
      taskId: text,
      taskIndex: count,
      share: text,
      priority: { bsonType: 'int', minimum: -1000, maximum: 1000 },
      labels: list(object, 64),
      lookup: list(text, 1100),
      requirements: object,
      classId: text,
      payload: object,
      retry: object,
      dependsOn: list(text, 1000),
      waitingFor: list(text, 1000),
      state,
      hold: object,
      notBefore: time,
      attempt: count,
      attempts: list(object, 20),
      fence: { bsonType: 'number', minimum: 0 },
      workerId: text,
      queueId: text,
      queue: text,
      exitCode: { bsonType: 'int' },
      error: object,
      metrics: object,
      outputs: list(object, 100),
      last: object,
      transitions: list(object, 64),
      stateTimes: object,
      retryOf: text,
      retriedBy: text,
    },
  },
  indexes: [
    {
      name: 'experiment_state_idx',
      keys: { experiment: 1, state: 1, _id: 1 },
      why: 'jobs of experiments, of states, and of both; ordered by id through a merge of one scan for each pair',
    },
    {
      name: 'taskId_state_idx',
      keys: { taskId: 1, state: 1, _id: 1 },
      options: { partialFilterExpression: { taskId: { $exists: true } } },
      why: 'jobs of a task, of states, by position; numbers of jobs of a task by state',
    },
    {
      name: 'owner_experiment_idx',
      keys: { owner: 1, experiment: 1, _id: 1 },
      why: 'jobs of an owner in the experiments that the caller may read; ordered by id through a merge of one scan for each',
    },
    {
      name: 'queueId_state_idx',
      keys: { queueId: 1, state: 1, _id: 1 },
      options: { partialFilterExpression: { queueId: { $exists: true } } },
      why: 'jobs of a queue, of states',
    },
    { name: 'share_idx', keys: { share: 1, _id: 1 }, why: 'jobs of a share' },
    {
      name: 'ready_idx',
      keys: { classId: 1, share: 1, priority: -1, _id: 1 },
      options: { partialFilterExpression: { state: 'ACTIVATED' } },
      why: 'the next ready jobs of a requirement class and share, for the broker',
    },
    {
      name: 'lookup_idx',
      keys: { lookup: 1, _id: 1 },
      why: 'jobs with a label; children of a parent; backoffs that are due',
    },
  ],
});

/** Fields of an index of jobs that queries are pinned to. */
export const jobIndex = {
  experiment: 'experiment_state_idx',
  task: 'taskId_state_idx',
  owner: 'owner_experiment_idx',
  queue: 'queueId_state_idx',
  share: 'share_idx',
  lookup: 'lookup_idx',
  id: '_id_',
} as const;
