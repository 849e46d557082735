import { defineCollection } from '@rhizome/mongo';

/** File of a checkpoint. */
export interface StoredCheckpointFile {
  readonly name: string;
  readonly location: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Checkpoint whose files are all stored. */
export interface StoredCheckpoint {
  /** Number of the attempt that made it. */
  readonly attempt: number;
  readonly step?: number;
  /** Completed part, 0 to 1. */
  readonly fraction?: number;
  readonly madeAt: Date;
  /** Time of the notice, if its payload had received notice of its end before. */
  readonly noticedAt?: Date;
  readonly files: readonly StoredCheckpointFile[];
}

/** Completed part at a time. */
export interface ProgressPoint {
  readonly fraction: number;
  readonly at: Date;
}

/** Latest progress of an attempt, as its payload reported it. */
export interface StoredProgress {
  readonly attempt: number;
  readonly step?: number;
  readonly fraction?: number;
  readonly at: Date;
  /** First report of the attempt with a completed part. */
  readonly first?: ProgressPoint;
}

/**
 * Progress and checkpoints of a job. They are not in the document of the job: progress changes often, is no
 * transition, and has no event.
 */
export interface JobProgressDocument {
  /** The job. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly updatedAt: Date;
  /** Highest fence of a report; reports with a lower one change nothing. */
  readonly fence: number;
  readonly progress?: StoredProgress;
  /** Kept checkpoints, newest first. */
  readonly checkpoints?: readonly StoredCheckpoint[];
}

/** Version of the stored form. */
export const jobProgressVersion = 1;

/** Progress of jobs whose payloads report it. */
export const jobProgressCollection = defineCollection<JobProgressDocument>({
  name: 'jobProgress',
  schemaVersion: jobProgressVersion,
  validator: {
    required: ['revision', 'updatedAt', 'fence'],
    properties: {
      revision: { bsonType: 'number', minimum: 1 },
      updatedAt: { bsonType: 'date' },
      fence: { bsonType: 'number', minimum: 0 },
      progress: { bsonType: 'object' },
      checkpoints: { bsonType: 'array', maxItems: 10 },
    },
  },
});
