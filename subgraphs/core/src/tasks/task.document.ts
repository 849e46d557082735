import { baseFields, defineCollection } from '@rhizome/mongo';
import type { StateCounts } from '../jobs/ports.js';
import type { StoredPayload, StoredRequirements, StoredRetryPolicy } from '../jobs/model/job.types.js';

/** How a task stands. */
export const taskStates = ['EXPANDING', 'RUNNING', 'FINISHED', 'FAILED', 'CANCELLED'] as const;

/** One of {@link taskStates}. */
export type TaskState = (typeof taskStates)[number];

/** What each job of a task is made of; texts may hold `{{name}}` for parameters. */
export interface StoredTemplate {
  readonly name: string;
  readonly requirements: StoredRequirements;
  readonly classId: string;
  readonly payload: StoredPayload;
  readonly retry: StoredRetryPolicy;
  readonly dependsOn: readonly string[];
}

/** Another shape of job in a task, complete: it has what it takes over from the template, too. */
export type StoredVariant = Pick<StoredTemplate, 'name' | 'requirements' | 'classId' | 'payload'>;

/** A stored task. Its parameter sets lie in a collection of their own. */
export interface TaskDocument {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly experiment: string;
  readonly name: string;
  readonly owner: string;
  /** Who submitted it, where that is not the owner. */
  readonly submittedBy?: string;
  /** Path of the leaf. */
  readonly share: string;
  readonly priority: number;
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  readonly template: StoredTemplate;
  /** Left out where there are none. */
  readonly variants?: readonly StoredVariant[];
  readonly hasParameters: boolean;
  readonly state: TaskState;
  readonly totalJobs: number;
  /** Jobs with smaller positions exist. */
  readonly createdJobs: number;
  readonly endedAt?: Date;
  /** Jobs by state when the task ended. */
  readonly endStates?: StateCounts;
  /** Who creates the jobs, until when nobody else does. */
  readonly runner?: { readonly id: string; readonly until: Date };
}

/** A task without what its jobs are made of, which may be long: what is shown of it. */
export type TaskFacts = Omit<TaskDocument, 'template' | 'variants'>;

/** Reads {@link TaskFacts}. */
export const taskFactsProjection = {
  schemaVersion: 1,
  revision: 1,
  createdAt: 1,
  updatedAt: 1,
  experiment: 1,
  name: 1,
  owner: 1,
  submittedBy: 1,
  share: 1,
  priority: 1,
  labels: 1,
  hasParameters: 1,
  state: 1,
  totalJobs: 1,
  createdJobs: 1,
  endedAt: 1,
  endStates: 1,
  runner: 1,
} as const satisfies Record<Exclude<keyof TaskFacts, '_id'>, 1>;

/** Version of the stored shape; since 2 there may be variants. */
export const taskSchemaVersion = 2;

/** Tasks. */
export const tasksCollection = defineCollection<TaskDocument>({
  name: 'tasks',
  schemaVersion: taskSchemaVersion,
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
      'template',
      'hasParameters',
      'state',
      'totalJobs',
      'createdJobs',
    ],
    properties: {
      ...baseFields,
      experiment: { bsonType: 'string' },
      name: { bsonType: 'string' },
      owner: { bsonType: 'string' },
      submittedBy: { bsonType: 'string' },
      share: { bsonType: 'string' },
      priority: { bsonType: 'int', minimum: -1000, maximum: 1000 },
      labels: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: 32 },
      template: { bsonType: 'object' },
      variants: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: 20 },
      hasParameters: { bsonType: 'bool' },
      state: { enum: [...taskStates] },
      totalJobs: { bsonType: 'int', minimum: 1, maximum: 1_000_000 },
      createdJobs: { bsonType: 'int', minimum: 0, maximum: 1_000_000 },
      endedAt: { bsonType: 'date' },
      endStates: { bsonType: 'object' },
      runner: { bsonType: 'object' },
    },
  },
  indexes: [
    {
      name: 'experiment_state_idx',
      keys: { experiment: 1, state: 1, _id: 1 },
      why: 'tasks of experiments, of states, newest first',
    },
    { name: 'owner_idx', keys: { owner: 1, _id: 1 }, why: 'tasks of an owner, newest first' },
    {
      name: 'state_idx',
      keys: { state: 1, _id: 1 },
      why: 'tasks whose jobs are not all created, or not all ended, for whoever leads',
    },
  ],
});

/** The values of one job of a task. */
export interface StoredParameterSet {
  readonly parameters: Readonly<Record<string, string>>;
  readonly dependsOn?: readonly string[];
  /** Position in the variants of the task. */
  readonly variant?: number;
}

/** Parameter sets of some jobs of a task that follow each other. */
export interface ParameterChunkDocument {
  /** `<task>/<position of the first, seven digits>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  /** When it was written last: sets without a task are given up some time later. */
  readonly createdAt: Date;
  readonly taskId: string;
  /** Position of the first. */
  readonly first: number;
  readonly sets: readonly StoredParameterSet[];
}

/** Version of the stored shape; since 2 with the time. */
export const parameterChunkSchemaVersion = 2;

/** Parameter sets, bounded pieces a document. They live until the jobs of their task exist. */
export const parameterChunksCollection = defineCollection<ParameterChunkDocument>({
  name: 'taskParameterSets',
  schemaVersion: parameterChunkSchemaVersion,
  validator: {
    required: ['revision', 'createdAt', 'taskId', 'first', 'sets'],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      createdAt: { bsonType: 'date' },
      taskId: { bsonType: 'string' },
      first: { bsonType: 'int', minimum: 0 },
      sets: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: 1000 },
    },
  },
});

/** How far a task is. */
export interface TaskProgressFacts {
  readonly totalJobs: number;
  readonly createdJobs: number;
  readonly states: StateCounts;
}
