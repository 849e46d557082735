/**
 * The stored shape that the submissions of all experiments share, and the declaration of a collection of
 * them.
 */
import {
  baseFields,
  type CollectionDefinition,
  defineCollection,
  type DocumentSchema,
  type IndexDefinition,
} from '@rhizome/mongo';

/**
 * Progress of a submission: core does not have it yet; core has it and not all jobs have FINISHED; all jobs
 * have FINISHED. Submissions that are not DONE are checked again after a gap in the event stream.
 */
export const submissionStages = ['SUBMITTING', 'OPEN', 'DONE'] as const;

/** One of {@link submissionStages}. */
export type SubmissionStage = (typeof submissionStages)[number];

/** Ends of workflows in core. */
export const workflowEnds = ['SUCCEEDED', 'FAILED', 'CANCELLED'] as const;

/** One of {@link workflowEnds}. */
export type WorkflowEnd = (typeof workflowEnds)[number];

/**
 * Something that was submitted to an experiment and that core does as one task, or as one workflow.
 * Experiments add fields of their own.
 */
export interface SubmissionDocument {
  /** `<prefix>_<ULID>`. */
  readonly _id: string;
  readonly schemaVersion: number;
  /** Grows with each change. */
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Subject of the principal. */
  readonly submittedBy: string;
  /** Unique together with the subject. */
  readonly idempotencyKey: string;
  /** Of the content: another content under the same key is refused. */
  readonly digest: string;
  readonly stage: SubmissionStage;
  /** The task in core; absent while SUBMITTING. */
  readonly taskId?: string;
  /** The workflow in core, for submissions that become workflows; absent while SUBMITTING. */
  readonly workflowId?: string;
  /** State in which the workflow has ended in core, as last asked; absent while any job of it changes. */
  readonly workflowEnd?: WorkflowEnd;
  /** Jobs of the task, or nodes of the workflow. */
  readonly totalJobs: number;
  /** Derived from events: jobs that FINISHED, by position in the task or workflow. */
  readonly finishedJobs: number;
  /** Derived from events: jobs that ended otherwise and were not repeated. */
  readonly lostJobs: number;
  /** Derived from events: sums of what ended jobs count for, by name. */
  readonly amounts: Readonly<Record<string, number>>;
}

/** The fields that an experiment adds. */
export type OwnFields<T extends SubmissionDocument> = Omit<T, keyof SubmissionDocument>;

/** Identifier of what core does for a submission: its task or workflow; undefined while SUBMITTING. */
export function coreIdOf({
  taskId,
  workflowId,
}: Pick<SubmissionDocument, 'taskId' | 'workflowId'>): string | undefined {
  return taskId ?? workflowId;
}

/** Options of {@link defineSubmissions}. */
export interface SubmissionsDeclaration {
  /** Of the collection. */
  readonly name: string;
  readonly schemaVersion: number;
  /** JSON schema of the fields that the experiment adds. */
  readonly properties: DocumentSchema['properties'];
  /** Which of them every document has. */
  readonly required: readonly string[];
  /** True if core does them as workflows. */
  readonly areWorkflows?: boolean;
  readonly indexes?: readonly IndexDefinition[];
}

const count = { bsonType: 'int', minimum: 0 };

const workflowIndex: IndexDefinition = {
  name: 'workflowId_uq',
  keys: { workflowId: 1 },
  options: { unique: true, partialFilterExpression: { workflowId: { $exists: true } } },
  why: 'what jobs are to the experiment, by their workflows',
};

/**
 * Declares a collection of submissions: the fields of {@link SubmissionDocument} and those that the
 * experiment adds.
 */
export function defineSubmissions<T extends SubmissionDocument>(
  declaration: SubmissionsDeclaration,
): CollectionDefinition<T> {
  const { name, schemaVersion, properties, required, areWorkflows = false, indexes = [] } = declaration;
  return defineCollection<T>({
    name,
    schemaVersion,
    validator: {
      required: [
        ...['revision', 'createdAt', 'updatedAt', 'submittedBy', 'idempotencyKey', 'digest', 'stage'],
        ...['totalJobs', 'finishedJobs', 'lostJobs', 'amounts'],
        ...required,
      ],
      properties: {
        ...baseFields,
        submittedBy: { bsonType: 'string' },
        idempotencyKey: { bsonType: 'string', minLength: 1, maxLength: 200 },
        digest: { bsonType: 'string' },
        stage: { enum: [...submissionStages] },
        taskId: { bsonType: 'string' },
        ...(areWorkflows
          ? { workflowId: { bsonType: 'string' }, workflowEnd: { enum: [...workflowEnds] } }
          : {}),
        totalJobs: { bsonType: 'int', minimum: 1, maximum: 1_000_000 },
        finishedJobs: count,
        lostJobs: count,
        amounts: { bsonType: 'object', additionalProperties: { bsonType: 'number', minimum: 0 } },
        ...properties,
      },
    },
    indexes: [
      {
        name: 'submittedBy_idempotencyKey_uq',
        keys: { submittedBy: 1, idempotencyKey: 1 },
        options: { unique: true },
        why: 'the submission of a key, once for each subject',
      },
      {
        name: 'taskId_uq',
        keys: { taskId: 1 },
        options: { unique: true, partialFilterExpression: { taskId: { $exists: true } } },
        why: 'what jobs are to the experiment, by their tasks',
      },
      {
        name: 'stage_idx',
        keys: { stage: 1, _id: 1 },
        why: 'submissions to submit to core, and submissions to check after a gap in the event stream',
      },
      ...(areWorkflows ? [workflowIndex] : []),
      ...indexes,
    ],
  });
}
