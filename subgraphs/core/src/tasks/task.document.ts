import { baseFields, defineCollection } from '@rhizome/mongo';
import type { StateCounts } from '../jobs/ports.js';
import type { StoredPayload, StoredRequirements, StoredRetryPolicy } from '../jobs/model/job.types.js';
import type { OpenTaskChange, StoredTaskChange } from './changes/task-change.types.js';
import { keptTaskChanges } from './changes/task-change.types.js';
import type { EndedJobs, StoredFailureLimit } from './limits/failure-limit.types.js';
import type { FileRange, StoredTaskDataset } from './files/task-dataset.types.js';
import type { StoredScouts } from './scouts/scouts.types.js';

/** States of a task. */
export const taskStates = [
  'SCOUTING',
  'EXPANDING',
  'RUNNING',
  'PAUSED',
  'STOPPING',
  'DONE',
  'FINISHED',
  'FAILED',
  'CANCELLED',
] as const;

/** One of {@link taskStates}. */
export type TaskState = (typeof taskStates)[number];

/** States of a task that has not ended. */
export const openTaskStates = [
  'SCOUTING',
  'EXPANDING',
  'RUNNING',
  'PAUSED',
  'STOPPING',
] as const satisfies TaskState[];
/** States of a task whose jobs no worker gets. */
export const suspendedTaskStates = ['PAUSED', 'STOPPING'] as const satisfies TaskState[];

/** One of {@link openTaskStates}. */
export type OpenTaskState = (typeof openTaskStates)[number];
/** State of a task that has ended. */
export type EndedTaskState = Exclude<TaskState, OpenTaskState>;

/** Returns true if the task has ended. */
export function hasTaskEnded({ state }: { readonly state: TaskState }): boolean {
  return !(openTaskStates as readonly TaskState[]).includes(state);
}

/** Commands that a task can be given. */
export const taskActions = ['PAUSE', 'RESUME', 'FINISH', 'ABORT'] as const;

/** One of {@link taskActions}. */
export type TaskAction = (typeof taskActions)[number];

/** A command that changed a task. */
export interface StoredTaskCommand {
  readonly action: TaskAction;
  /** Subject of the principal, or `system:…`. */
  readonly by: string;
  readonly at: Date;
  readonly reason?: string;
  /** Of a RESUME: jobs that had ended then. */
  readonly ended?: EndedJobs;
}

/** Template of the jobs of a task; texts may contain `{{name}}` for parameters. */
export interface StoredTemplate {
  readonly name: string;
  readonly requirements: StoredRequirements;
  readonly classId: string;
  readonly payload: StoredPayload;
  readonly retry: StoredRetryPolicy;
  readonly dependsOn: readonly string[];
}

/** Alternative shape of jobs in a task, complete with the values inherited from the template. */
export type StoredVariant = Pick<StoredTemplate, 'name' | 'requirements' | 'classId' | 'payload'>;

/** Stored task. Its parameter sets are in a separate collection. */
export interface TaskDocument {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly experiment: string;
  readonly name: string;
  readonly owner: string;
  /** Submitter, if not the owner. */
  readonly submittedBy?: string;
  /** Path of the leaf. */
  readonly share: string;
  readonly priority: number;
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  readonly template: StoredTemplate;
  /** Absent if there are none. */
  readonly variants?: readonly StoredVariant[];
  readonly hasParameters: boolean;
  readonly state: TaskState;
  readonly totalJobs: number;
  /** All jobs with smaller positions exist. */
  readonly createdJobs: number;
  /** Dataset whose files the jobs process; absent for none. */
  readonly dataset?: StoredTaskDataset;
  /** Scouts and what followed from their use; absent for a task without scouts. */
  readonly scouts?: StoredScouts;
  /** Number of jobs that may exist before the scouts have ended; absent if all may. */
  readonly createUpTo?: number;
  /** Failures after which a command is given; absent if there is no limit. */
  readonly failureLimit?: StoredFailureLimit;
  /** Maximum number of its jobs that workers hold; absent if there is no limit. */
  readonly maxRunningJobs?: number;
  /** Number of changes of its template; absent if there were none. */
  readonly generation?: number;
  /** Latest changes of jobs that had not started, oldest first. */
  readonly changes?: readonly StoredTaskChange[];
  /** Change that is being applied to the jobs; absent if there is none. */
  readonly openChange?: OpenTaskChange;
  /** Shares in which jobs of the task may be apart from the present one; absent if there are none. */
  readonly formerShares?: readonly string[];
  readonly endedAt?: Date;
  /** Number of jobs by state when the task ended. */
  readonly endStates?: StateCounts;
  /** Command by which the task is paused or stopped, or was stopped; absent for one that runs. */
  readonly control?: StoredTaskCommand;
  /** Latest commands, oldest first. */
  readonly commands?: readonly StoredTaskCommand[];
  /** Process that creates the jobs, and the time at which its claim expires. */
  readonly runner?: { readonly id: string; readonly until: Date };
}

/** Task without the templates of its jobs, which may be large; the visible part. */
export type TaskFacts = Omit<TaskDocument, 'template' | 'variants'>;

/** Projection for {@link TaskFacts}. */
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
  dataset: 1,
  scouts: 1,
  createUpTo: 1,
  failureLimit: 1,
  maxRunningJobs: 1,
  generation: 1,
  changes: 1,
  openChange: 1,
  formerShares: 1,
  endedAt: 1,
  endStates: 1,
  control: 1,
  commands: 1,
  runner: 1,
} as const satisfies Record<Exclude<keyof TaskFacts, '_id'>, 1>;

/** Maximum number of commands that a task keeps. */
export const keptTaskCommands = 50;

/**
 * Version of the stored form; version 2 added variants, version 3 commands, version 4 scouts and limits,
 * version 5 changes.
 */
export const taskSchemaVersion = 5;

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
      variants: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: 200 },
      hasParameters: { bsonType: 'bool' },
      state: { enum: [...taskStates] },
      totalJobs: { bsonType: 'int', minimum: 1, maximum: 1_000_000 },
      createdJobs: { bsonType: 'int', minimum: 0, maximum: 1_000_000 },
      dataset: { bsonType: 'object' },
      scouts: { bsonType: 'object' },
      createUpTo: { bsonType: 'int', minimum: 1, maximum: 1000 },
      failureLimit: { bsonType: 'object' },
      maxRunningJobs: { bsonType: 'int', minimum: 1, maximum: 1_000_000 },
      generation: { bsonType: 'int', minimum: 1 },
      changes: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: keptTaskChanges },
      openChange: { bsonType: 'object' },
      formerShares: { bsonType: 'array', items: { bsonType: 'string' } },
      endedAt: { bsonType: 'date' },
      endStates: { bsonType: 'object' },
      control: { bsonType: 'object' },
      commands: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: keptTaskCommands },
      runner: { bsonType: 'object' },
    },
  },
  indexes: [
    {
      name: 'experiment_state_idx',
      keys: { experiment: 1, state: 1, _id: 1 },
      why: 'tasks by experiment and state, newest first',
    },
    { name: 'owner_idx', keys: { owner: 1, _id: 1 }, why: 'tasks of an owner, newest first' },
    {
      name: 'state_idx',
      keys: { state: 1, _id: 1 },
      why: 'tasks with missing, live or scouting jobs, for the leader; suspended tasks, for the scheduler',
    },
    {
      name: 'maxRunningJobs_idx',
      keys: { maxRunningJobs: 1 },
      options: { partialFilterExpression: { maxRunningJobs: { $exists: true } } },
      why: 'tasks with a limit on running jobs, for the scheduler',
    },
    {
      name: 'openChange_idx',
      keys: { 'openChange.id': 1 },
      options: { partialFilterExpression: { openChange: { $exists: true } } },
      why: 'tasks to whose jobs a change is being applied, for the leader',
    },
  ],
});

/** Values of one job of a task. */
export interface StoredParameterSet {
  readonly parameters: Readonly<Record<string, string>>;
  readonly dependsOn?: readonly string[];
  /** Position in the variants of the task. */
  readonly variant?: number;
  /** Files of the dataset of the task. */
  readonly files?: FileRange;
}

/** Parameter sets of consecutive jobs of a task. */
export interface ParameterChunkDocument {
  /** `<task>/<position of the first, seven digits>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  /** Time of the last write: sets without a task are deleted later. */
  readonly createdAt: Date;
  readonly taskId: string;
  /** Position of the first set. */
  readonly first: number;
  readonly sets: readonly StoredParameterSet[];
}

/** Version of the stored form; version 2 added the time. */
export const parameterChunkSchemaVersion = 2;

/** Parameter sets, in documents of bounded size. They exist until the jobs of their task exist. */
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

/** Progress of a task. */
export interface TaskProgressFacts {
  readonly totalJobs: number;
  readonly createdJobs: number;
  readonly states: StateCounts;
}
